import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { unixMilliseconds } from "../../src/base/units.ts";
import { parseState, readState, type ServerState, StateFile } from "../../src/control/state-file.ts";
import { makeTree } from "../support/file-tree.ts";

const state: ServerState = {
  pid: 4711,
  process: "boot 1",
  version: "1.2.3",
  phase: "serving",
  startedAt: unixMilliseconds(1_710_000_000_000),
  generation: 2,
  configFile: "/etc/comanche.conf",
  endpoints: ["http://127.0.0.1:8080/", "unix:/run/comanche.sock"],
  workers: [{ pid: 4712, startedAt: unixMilliseconds(1_710_000_000_500), generation: 2 }],
  hangups: 3,
  reload: { covers: 3, outcome: "failed", message: "one\ntwo", at: unixMilliseconds(1_710_000_001_000) },
};
const young: ServerState = { ...state, configFile: undefined, workers: [], hangups: 0, reload: undefined };

function makePlace(context: TestContext) {
  const folder = makeTree(context, {});
  return { folder, pidFile: absolutePath(join(folder, "x.pid")), path: join(folder, "x.pid.state") };
}

for (const [name, written] of [
  ["with everything", state],
  ["with nothing that may be absent", young],
] as const) {
  test(`StateFile: what was written is read again: ${name}`, (context) => {
    const { pidFile } = makePlace(context);
    new StateFile(pidFile).write(written);
    assert.deepEqual(readState(pidFile), written);
  });
}

test("StateFile: the file lies beside the PID file, for everybody to read, and nothing else is left there", (context) => {
  const { folder, pidFile, path } = makePlace(context);
  const file = new StateFile(pidFile);
  file.write(state);
  file.write(young);
  assert.deepEqual(readdirSync(folder), ["x.pid.state"]);
  const umask = process.umask();
  assert.equal(statSync(path).mode & 0o777, 0o644 & ~umask);
  file.remove();
  assert.deepEqual(readdirSync(folder), []);
  file.remove();
});

test("StateFile: each state is a new file, so that a reader has one of them whole", (context) => {
  const { pidFile, path } = makePlace(context);
  const file = new StateFile(pidFile);
  file.write(state);
  const first = statSync(path).ino;
  file.write(young);
  assert.notEqual(statSync(path).ino, first);
});

test("StateFile: a link in the place of the temporary file is not followed", (context) => {
  const { folder, pidFile, path } = makePlace(context);
  const victim = join(folder, "victim");
  writeFileSync(victim, "mine");
  symlinkSync(victim, `${path}.new`);
  new StateFile(pidFile).write(state);
  assert.equal(readFileSync(victim, "utf8"), "mine");
  assert.deepEqual(readState(pidFile), state);
});

test("StateFile: where it cannot be written it throws nothing and leaves nothing", (context) => {
  const { folder } = makePlace(context);
  const absent = new StateFile(absolutePath(join(folder, "absent/x.pid")));
  absent.write(state);
  absent.remove();
  const taken = absolutePath(join(folder, "y.pid"));
  mkdirSync(join(folder, "y.pid.state"));
  new StateFile(taken).write(state);
  assert.equal(readState(taken), undefined);
  assert.deepEqual(readdirSync(folder), ["y.pid.state"]);
});

const unreadable: [name: string, text: string | undefined][] = [
  ["no file", undefined],
  ["an empty file", ""],
  ["half an object", JSON.stringify(state).slice(0, 90)],
  ["something else", "4711\n"],
];
for (const [name, text] of unreadable) {
  test(`readState: ${name} tells nothing`, (context) => {
    const { pidFile, path } = makePlace(context);
    if (text !== undefined) writeFileSync(path, text);
    assert.equal(readState(pidFile), undefined);
  });
}

test("readState: a named pipe in its place does not make it wait", (context) => {
  const { pidFile, path } = makePlace(context);
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  assert.equal(readState(pidFile), undefined);
});

const wrong: [name: string, change: Readonly<Record<string, unknown>>][] = [
  ["no PID", { pid: undefined }],
  ["a PID that is a group of processes", { pid: -1 }],
  ["PID 0", { pid: 0 }],
  ["a version that is no text", { version: 1 }],
  ["an unknown phase", { phase: "dancing" }],
  ["a time that is a fraction", { startedAt: 0.5 }],
  ["a generation below zero", { generation: -1 }],
  ["a configuration file that is no path", { configFile: null }],
  ["an endpoint that is no text", { endpoints: ["x", 1] }],
  ["endpoints that are no list", { endpoints: {} }],
  ["hangups in words", { hangups: "3" }],
  ["no workers", { workers: undefined }],
  ["one worker of several without PID", { workers: [...state.workers, { startedAt: 1, generation: 1 }] }],
  ["a worker that is a number", { workers: [4712] }],
  ["a reload that is a word", { reload: "done" }],
  ["a reload without outcome", { reload: { covers: 1, message: "", at: 1 } }],
  ["a reload with another outcome", { reload: { ...state.reload, outcome: "perhaps" } }],
  ["a reload whose message is no text", { reload: { ...state.reload, message: [] } }],
  ["a reload that covers no number", { reload: { ...state.reload, covers: undefined } }],
];
for (const [name, change] of wrong) {
  test(`parseState: ${name} is no state`, () => assert.equal(parseState({ ...state, ...change }), undefined));
}

test("parseState: what a newer version adds is left out", () => {
  assert.deepEqual(parseState({ ...state, colour: "red" }), state);
});

test("parseState: any JSON is a state or undefined, and a state is one again", () => {
  const likely = fc.record(
    {
      pid: fc.oneof(fc.integer(), fc.jsonValue()),
      version: fc.oneof(fc.string(), fc.jsonValue()),
      phase: fc.oneof(fc.constantFrom("serving", "reloading", "stopping"), fc.jsonValue()),
      startedAt: fc.nat(),
      generation: fc.nat(),
      configFile: fc.string(),
      endpoints: fc.array(fc.string()),
      workers: fc.array(fc.record({ pid: fc.integer(), startedAt: fc.nat(), generation: fc.nat() })),
      hangups: fc.nat(),
      reload: fc.oneof(
        fc.jsonValue(),
        fc.record({
          covers: fc.nat(),
          outcome: fc.constantFrom("done", "failed", "?"),
          message: fc.string(),
          at: fc.nat(),
        }),
      ),
    },
    { requiredKeys: ["pid", "version", "phase", "startedAt", "generation", "endpoints", "workers", "hangups"] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), likely), (value) => {
      const parsed = parseState(value);
      if (parsed !== undefined) assert.deepEqual(parseState(JSON.parse(JSON.stringify(parsed))), parsed);
    }),
  );
});
