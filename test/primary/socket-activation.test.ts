import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { StartupError } from "../../src/base/errors.ts";
import type { ListenAddress } from "../../src/config/listen-address.ts";
import {
  type ActivatedSocket,
  checkSocket,
  parseActivation,
  takeActivatedSockets,
} from "../../src/primary/socket-activation.ts";
import { type ListenSpec, Sockets } from "../../src/primary/sockets.ts";
import { scriptPath } from "../support/child-script.ts";
import { openServiceSocket, startService } from "../support/notify-service.ts";
import { RawClient } from "../support/raw-client.ts";

const socket = (descriptor: number, name: string): ActivatedSocket => ({ descriptor, name });
const ours = (count: string, names?: string): Record<string, string> => ({
  LISTEN_PID: "7",
  LISTEN_FDS: count,
  ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
});
const cases: [name: string, variables: Record<string, string>, want: readonly ActivatedSocket[]][] = [
  ["nobody opened any", {}, []],
  ["a count without a process", { LISTEN_FDS: "1" }, []],
  ["a process without a count", { LISTEN_PID: "7" }, []],
  ["meant for another process", { LISTEN_PID: "8", LISTEN_FDS: "1", LISTEN_FDNAMES: "http" }, []],
  ["meant for another process, faults and all", { LISTEN_PID: "8", LISTEN_FDS: "x" }, []],
  ["none", ours("0"), []],
  ["none, with an empty list of names", ours("0", ""), []],
  ["one without names", ours("1"), [socket(3, "unknown")]],
  ["one whose name is empty", ours("1", ""), [socket(3, "")]],
  ["named after the protocol", ours("2", "http:http"), [socket(3, "http"), socket(4, "http")]],
  ["named after their unit", ours("2", "comanche.socket:http"), [socket(3, "comanche.socket"), socket(4, "http")]],
];
for (const [name, variables, want] of cases) {
  test(`parseActivation: ${name}`, () => assert.deepEqual(parseActivation(variables, 7), want));
}

const COUNT = "expected a whole number from 0 to";
const faults: [name: string, variables: Record<string, string>, message: string][] = [
  ["a process that is no number", { LISTEN_PID: "me", LISTEN_FDS: "1" }, `LISTEN_PID = me: ${COUNT} 4194304`],
  ["a count that is no number", ours("two"), `LISTEN_FDS = two: ${COUNT} 1000`],
  ["a count below zero", ours("-1"), `LISTEN_FDS = -1: ${COUNT} 1000`],
  ["a count beyond all bounds", ours("1001"), `LISTEN_FDS = 1001: ${COUNT} 1000`],
  [
    "more names than sockets",
    ours("1", "http:http"),
    "LISTEN_FDNAMES = http:http: expected as many names as LISTEN_FDS has sockets, 1",
  ],
  [
    "fewer names than sockets",
    ours("2", "http"),
    "LISTEN_FDNAMES = http: expected as many names as LISTEN_FDS has sockets, 2",
  ],
  [
    "a name that we do not know",
    ours("1", "ftp"),
    "the service manager passes a socket named ftp: expected http or https (FileDescriptorName= in the socket unit)",
  ],
  [
    "one connection, as Accept=yes passes it",
    ours("1", "connection"),
    "the socket unit has Accept=yes, which starts a server for each connection: write Accept=no in it, as in conf/comanche.socket",
  ],
  [
    "a name that would drive a terminal",
    ours("1", "\x1b[2J"),
    "the service manager passes a socket named \\x1b[2J: expected http or https (FileDescriptorName= in the socket unit)",
  ],
];
for (const [name, variables, message] of faults) {
  test(`parseActivation: ${name} is refused`, () => {
    assert.throws(() => parseActivation(variables, 7), new StartupError(message));
  });
}

test("parseActivation: whatever the variables hold, it is refused in words or has a socket for each name", () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom("0", "1", "2", "http", "http:http", ":", "a.socket:", "07"));
  fc.assert(
    fc.property(texts, texts, (count, names) => {
      try {
        const sockets = parseActivation(ours(count, names), 7);
        assert.deepEqual(
          sockets,
          sockets.map(({ name }, index) => socket(3 + index, name)),
        );
        if (sockets.length > 0) assert.equal(sockets.map(({ name }) => name).join(":"), names);
      } catch (error) {
        assert.ok(error instanceof StartupError, String(error));
        assert.ok(!error.message.includes("\n  "), error.message);
      }
    }),
  );
});

test("takeActivatedSockets: the variables are gone afterwards, also those meant for another", () => {
  const environment = { LISTEN_PID: "8", LISTEN_FDS: "1", LISTEN_FDNAMES: "http", LISTEN_PIDFDID: "9", HOME: "/" };
  assert.deepEqual(takeActivatedSockets(environment, 7), []);
  assert.deepEqual(environment, { HOME: "/" });
});

test("takeActivatedSockets: looks at what the descriptors are", () => {
  // This process was not started with sockets: Node's own event loop has number 3.
  assert.throws(() => takeActivatedSockets({ LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "http" }, 7), {
    name: "StartupError",
    message: "LISTEN_FDS: descriptor 3 (http) is no socket: expected a listening socket",
  });
});

test("checkSocket: a file and a number that is not open are refused, a socket is not", async () => {
  const file = openSync("/dev/null", "r");
  assert.throws(() => checkSocket(socket(file, "")), {
    message: `LISTEN_FDS: descriptor ${file} is no socket: expected a listening socket`,
  });
  closeSync(file);
  assert.throws(() => checkSocket(socket(1_000_000, "http")), {
    message: "LISTEN_FDS: descriptor 1000000 (http) is not open (bad file descriptor): expected a listening socket",
  });
});

test("a service is started with two sockets, tells its manager of its life, and leaves nothing to its children", async (context) => {
  const sockets = [await openServiceSocket("http"), await openServiceSocket("comanche.socket")];
  const started = await startService({
    command: [process.execPath, scriptPath("notify-program")],
    watchdog: 40_000,
    sockets,
  });
  if (started.kind === "missing") return context.skip(started.why);
  const { service } = started;
  context.after(() => service.kill());

  const ready = await service.waitFor("READY");
  assert.equal(ready.pid, service.pid);
  assert.deepEqual(ready.variables, { READY: "1", MAINPID: String(service.pid), STATUS: "serves 2 sockets" });
  for (const { port, name } of sockets) {
    const client = await RawClient.connect(port);
    assert.equal((await client.readToEnd()).toString(), `${name}: []\n`);
    client.destroy();
  }

  await service.waitFor("WATCHDOG", service.messages.length);
  const beforeReload = service.messages.length;
  service.signal("SIGHUP");
  assert.match((await service.waitFor("RELOADING", beforeReload)).variables.MONOTONIC_USEC ?? "", /^\d+$/);
  assert.equal((await service.waitFor("READY", beforeReload)).variables.STATUS, "kept");

  service.signal("SIGTERM");
  assert.equal((await service.waitFor("STOPPING")).variables.STATUS, "SIGTERM");
  assert.deepEqual(await service.waitForEnd(), { status: 0, signal: null });
  assert.ok(service.messages.every(({ pid }) => pid === service.pid));
});

// ---- what becomes of them

const HERE: ListenAddress = { kind: "ip", family: 4, address: "127.0.0.1" };
const PLAIN: ListenSpec = { purpose: { kind: "http" }, addresses: [HERE], port: 80 };
const SEALED: ListenSpec = { purpose: { kind: "https" }, addresses: [HERE], port: 443 };
const HTTP = { descriptor: 3, name: "http" };
const HTTPS = { descriptor: 4, name: "https" };

test("Sockets: one of the name https is for TLS", async () => {
  const { sockets } = await new Sockets([HTTP, HTTPS]).choose([PLAIN, SEALED], 0o666);
  assert.deepEqual(sockets, [
    { descriptor: 3, endpoint: undefined, purpose: { kind: "http" } },
    { descriptor: 4, endpoint: undefined, purpose: { kind: "https" } },
  ]);
});

test("Sockets: https without tls-port, and tls-port without https, are refused", async () => {
  await assert.rejects(new Sockets([HTTPS]).choose([PLAIN], 0o666), /expected tls-port and tls-cert too/);
  await assert.rejects(new Sockets([HTTP]).choose([PLAIN, SEALED], 0o666), /passes no socket named https/);
});
