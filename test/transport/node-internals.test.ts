import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findNodeInternals, isStreamHandle } from "../../src/transport/node-internals.ts";

const MODULE = fileURLToPath(new URL("../../src/transport/node-internals.js", import.meta.url));
const SCRIPT = `import(process.argv[1]).then(({ findNodeInternals }) => {
  const found = findNodeInternals();
  console.log(found.kind === "found" ? "found" : found.why);
})`;

/** What another Node finds, and what it prints besides. */
function find(flags: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { NODE_OPTIONS: _, NODE_PENDING_DEPRECATION: __, ...rest } = process.env;
  const options = { encoding: "utf8", env: { ...rest, ...environment } } as const;
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, "-e", SCRIPT, MODULE], options);
  return { answer: stdout.trim(), stderr };
}

const [major = 0] = process.versions.node.split(".").map(Number);
const permission = [major >= 23 ? "--permission" : "--experimental-permission", "--allow-fs-read=*"];

const DEPRECATION = "Node was asked to warn of deprecated functions (--pending-deprecation)";
const PERMISSION = "Node refuses its internal functions, as it does with --permission";

const cases: [name: string, flags: readonly string[], environment: NodeJS.ProcessEnv, want: string][] = [
  ["no flags", [], {}, "found"],
  ["--pending-deprecation", ["--pending-deprecation"], {}, DEPRECATION],
  ["the same in NODE_OPTIONS", [], { NODE_OPTIONS: "--no-warnings --pending-deprecation" }, DEPRECATION],
  ["the same in a variable of its own", [], { NODE_PENDING_DEPRECATION: "1" }, DEPRECATION],
  ["the permission model", permission, {}, PERMISSION],
];
for (const [name, flags, environment, want] of cases) {
  test(`findNodeInternals: ${name}`, () => {
    const { answer, stderr } = find(flags, environment);
    assert.equal(answer, want);
    assert.doesNotMatch(stderr, /DEP0111|DeprecationWarning/, "no user is warned of what we do");
  });
}

const changed: [name: string, change: (binding: Record<string, unknown>) => object][] = [
  ["no binding at all", () => ({})],
  ["no WriteWrap", ({ WriteWrap: _, ...rest }) => rest],
  ["no ShutdownWrap", ({ ShutdownWrap: _, ...rest }) => rest],
  ["the state is something else", (binding) => ({ ...binding, streamBaseState: [0, 0, 0, 0] })],
  ["a place that is not there", ({ kReadBytesOrError: _, ...rest }) => rest],
  ["a place outside the state", (binding) => ({ ...binding, kLastWriteWasAsync: 99 })],
];
for (const [name, change] of changed) {
  test(`findNodeInternals: another Node: ${name}`, (t) => {
    const binding: unknown = Reflect.get(process, "binding");
    assert.ok(typeof binding === "function");
    t.mock.method(process as unknown as { binding(name: string): object }, "binding", (module: string) =>
      change(binding.call(process, module)),
    );
    assert.equal(findNodeInternals().kind, "missing");
  });
}

test("isStreamHandle: all functions must be there", () => {
  const names = ["useUserBuffer", "readStart", "readStop", "writeBuffer", "writev", "shutdown", "close"];
  const whole = Object.fromEntries(names.map((name) => [name, () => 0]));
  assert.equal(isStreamHandle({ ...whole, writeQueueSize: 0 }), true);
  assert.equal(isStreamHandle(whole), false);
  for (const name of names) assert.equal(isStreamHandle({ ...whole, writeQueueSize: 0, [name]: undefined }), false);
});
