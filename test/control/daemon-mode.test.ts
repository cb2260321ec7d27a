import assert from "node:assert/strict";
import { test } from "node:test";
import { decideMode, type Environment, type Mode } from "../../src/control/daemon-mode.ts";

const shell: Environment = { pid: 500, parentPid: 400, variables: {}, hasContainerMark: false };
const daemon: Mode = { kind: "daemon" };
const kept = (keeper: string): Mode => ({
  kind: "foreground",
  reason: `${keeper}: staying in the foreground (--daemon overrides)`,
});
const withVariable = (variables: NodeJS.ProcessEnv): Environment => ({ ...shell, variables });

const untouched: [name: string, environment: Environment, want: Mode][] = [
  ["an ordinary shell", shell, daemon],
  ["PID 1", { ...shell, pid: 1 }, kept("running as PID 1")],
  ["systemd that wants to be notified", withVariable({ NOTIFY_SOCKET: "/run/n" }), kept("under systemd")],
  ["systemd that started this very process", withVariable({ SYSTEMD_EXEC_PID: "500" }), kept("under systemd")],
  ["systemd that started an ancestor", withVariable({ SYSTEMD_EXEC_PID: "400" }), daemon],
  ["an old systemd", { ...withVariable({ INVOCATION_ID: "a" }), parentPid: 1 }, kept("under systemd")],
  ["a shell in a session that systemd started", withVariable({ INVOCATION_ID: "a" }), daemon],
  ["Docker or Podman", { ...shell, hasContainerMark: true }, kept("in a container")],
  ["a container that says so", withVariable({ container: "lxc" }), kept("in a container")],
  ["Kubernetes", withVariable({ KUBERNETES_SERVICE_HOST: "10.0.0.1" }), kept("in a container")],
  ["empty variables", withVariable({ NOTIFY_SOCKET: "", container: "", INVOCATION_ID: "" }), daemon],
];
for (const [name, environment, want] of untouched) {
  test(`decideMode: nobody set daemon: ${name}`, () =>
    assert.deepEqual(decideMode({ daemon: true, isSet: false }, environment), want));
}

test("decideMode: daemon = yes wins over a container", () => {
  assert.deepEqual(decideMode({ daemon: true, isSet: true }, { ...shell, hasContainerMark: true }), daemon);
});

test("decideMode: -d needs no reason", () => {
  const want: Mode = { kind: "foreground", reason: undefined };
  assert.deepEqual(decideMode({ daemon: false, isSet: true }, { ...shell, pid: 1 }), want);
});
