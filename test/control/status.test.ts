import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds, type UnixMilliseconds, unixMilliseconds } from "../../src/base/units.ts";
import type { PidFilePath } from "../../src/control/pid-file.ts";
import type { ServerState } from "../../src/control/state-file.ts";
import { describeStatus, formatAge, lookAtServer, type StatusOutcome } from "../../src/control/status.ts";
import { localOffset } from "../../src/observe/local-zone.ts";
import { formatConsoleTime } from "../../src/observe/log-time.ts";
import { ChildScript } from "../support/child-script.ts";
import { makeTree } from "../support/file-tree.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const ages: [age: number, want: string][] = [
  [0, "0 s"],
  [-5 * SECOND, "0 s"],
  [999, "0 s"],
  [59 * SECOND, "59 s"],
  [60 * SECOND, "1 min 0 s"],
  [HOUR - 1, "59 min 59 s"],
  [2 * HOUR + 4 * 60 * SECOND, "2 h 4 min"],
  [24 * HOUR - 1, "23 h 59 min"],
  [25 * HOUR, "1 day 1 h"],
  [30 * 24 * HOUR, "30 days 0 h"],
];
for (const [age, want] of ages) {
  test(`formatAge: ${age} ms is ${want}`, () => assert.equal(formatAge(milliseconds(age)), want));
}

const path = absolutePath("/run/comanche.pid");
const now = unixMilliseconds(1_710_000_000_000);
const before = (age: number): UnixMilliseconds => unixMilliseconds(now - age);
const written = (moment: UnixMilliseconds): string => formatConsoleTime(moment, localOffset(moment));

const state: ServerState = {
  pid: 7,
  process: "boot 1",
  version: "1.2.3",
  phase: "serving",
  startedAt: before(25 * HOUR),
  generation: 3,
  configFile: "/etc/comanche.conf",
  endpoints: ["http://127.0.0.1/", "unix:/run/x"],
  workers: [
    { pid: 8, startedAt: before(HOUR), generation: 3 },
    { pid: 9, startedAt: before(2 * HOUR), generation: 2 },
    { pid: 10, startedAt: before(0), generation: 3 },
  ],
  hangups: 2,
  reload: { covers: 2, outcome: "failed", message: "x.conf:1: junk\nx.conf:2: junk", at: before(60 * SECOND) },
};
const running = (of: ServerState | undefined): StatusOutcome => ({
  kind: "running",
  pid: 7,
  path,
  state: of,
  memory: new Map([
    [7, bytes(48 * 2 ** 20)],
    [8, bytes(60 * 2 ** 20)],
    [9, bytes(62 * 2 ** 20)],
  ]),
});

test("describeStatus: a server that runs, with all there is to tell of it", () => {
  assert.deepEqual(describeStatus(running(state), now), {
    exitStatus: 0,
    message: [
      "Comanche 1.2.3 is running (PID 7, 48 MiB)",
      `  since           ${written(state.startedAt)}, for 1 day 1 h`,
      "  configuration   /etc/comanche.conf",
      "  listens at      http://127.0.0.1/",
      "                  unix:/run/x",
      "  generation      3",
      "  worker 8        for 1 h 0 min, 60 MiB",
      "  worker 9        for 2 h 0 min, 62 MiB, draining (generation 2)",
      "  worker 10       for 0 s, has just exited",
      `  last reload     ${written(before(60 * SECOND))}, failed: x.conf:1: junk`,
      "                  x.conf:2: junk",
    ].join("\n"),
  });
});

const lines: [name: string, change: Partial<ServerState>, want: RegExp][] = [
  ["starting", { phase: "starting" }, /^Comanche 1\.2\.3 is starting \(PID 7/],
  ["reloading", { phase: "reloading" }, /^Comanche 1\.2\.3 is running and reloading \(PID 7/],
  ["stopping", { phase: "stopping" }, /^Comanche 1\.2\.3 is stopping \(PID 7/],
  ["without configuration file", { configFile: undefined }, /^ {2}configuration +none$/m],
  ["never reloaded", { reload: undefined }, /^ {2}last reload +none$/m],
  [
    "reloaded with nothing to say of it",
    { reload: { covers: 1, outcome: "done", message: "", at: now } },
    new RegExp(`^ {2}last reload +${written(now)}, done$`, "m"),
  ],
];
for (const [name, change, want] of lines) {
  test(`describeStatus: ${name}`, () => {
    const { message, exitStatus } = describeStatus(running({ ...state, ...change }), now);
    assert.match(message, want);
    assert.equal(exitStatus, 0);
  });
}

const others: [outcome: StatusOutcome, message: string, exitStatus: number][] = [
  [
    running(undefined),
    "running (PID 7, 48 MiB, PID file /run/comanche.pid)\nno further details: its state file cannot be read",
    0,
  ],
  [
    { kind: "dead", holder: { kind: "gone", pid: 7 }, path },
    "not running, and it did not stop cleanly: PID file /run/comanche.pid names PID 7, which no longer runs",
    1,
  ],
  [
    { kind: "dead", holder: { kind: "stranger", pid: 7, command: "sleep" }, path },
    "not running, and it did not stop cleanly: PID file /run/comanche.pid names PID 7, which is another program now (sleep)",
    1,
  ],
  [
    { kind: "dead", holder: undefined, path },
    "not running, and it did not stop cleanly: PID file /run/comanche.pid is empty",
    1,
  ],
  [{ kind: "not-running", paths: [path] }, "not running: no PID file /run/comanche.pid", 3],
  [{ kind: "unknown", why: "x is not a PID file" }, "cannot tell whether the server runs: x is not a PID file", 4],
];
for (const [outcome, message, exitStatus] of others) {
  test(`describeStatus: ${message}`, () => assert.deepEqual(describeStatus(outcome, now), { message, exitStatus }));
}

function makePlaces(t: TestContext): { readonly places: readonly PidFilePath[]; readonly paths: AbsolutePath[] } {
  const folder = makeTree(t);
  const paths = ["first.pid", "second.pid"].map((name) => absolutePath(join(folder, name)));
  return { paths, places: paths.map((each) => ({ path: each, folderMode: undefined })) };
}

async function startServer(t: TestContext, pidFile: string | undefined, manner: string): Promise<ChildScript> {
  const server = new ChildScript("reload-server", [pidFile ?? "", manner]);
  t.after(() => server.kill());
  assert.equal(await server.nextLine(), "ready", server.standardError);
  return server;
}

test("lookAtServer: a server that runs, its state, and the memory of each process", async (t) => {
  const { places, paths } = makePlaces(t);
  const server = await startServer(t, paths[1], "done");
  // A file of a dead server at a better place does not hide the live one.
  writeFileSync(paths[0] ?? "", "");
  const outcome = lookAtServer(places);
  assert.ok(outcome.kind === "running");
  assert.deepEqual([outcome.pid, outcome.path, outcome.state?.version], [server.pid, paths[1], "1.2.3"]);
  assert.deepEqual([...outcome.memory.keys()], [server.pid]);
  assert.ok((outcome.memory.get(server.pid) ?? 0) > 2 ** 20);
});

for (const manner of ["mute", "replaced"]) {
  test(`lookAtServer: a server that runs, with no state of its own: ${manner}`, async (t) => {
    const { places, paths } = makePlaces(t);
    const server = await startServer(t, paths[0], manner);
    const outcome = lookAtServer(places);
    assert.deepEqual(outcome.kind === "running" && [outcome.pid, outcome.state], [server.pid, undefined]);
  });
}

test("lookAtServer: a server that was killed is dead, and one that ended is not running", async (t) => {
  const { places, paths } = makePlaces(t);
  const killed = await startServer(t, paths[0], "done");
  await killed.kill();
  assert.deepEqual(lookAtServer(places), { kind: "dead", holder: { kind: "gone", pid: killed.pid }, path: paths[0] });
  const ended = await startServer(t, paths[0], "done");
  ended.endInput();
  await ended.end;
  assert.deepEqual(lookAtServer(places), { kind: "not-running", paths });
});

test("lookAtServer: an empty PID file is that of a dead server", (t) => {
  const { places, paths } = makePlaces(t);
  writeFileSync(paths[1] ?? "", "\n");
  assert.deepEqual(lookAtServer(places), { kind: "dead", holder: undefined, path: paths[1] });
});

test("lookAtServer: what is no PID file, or cannot be read, leaves it unknown", (t) => {
  const { places, paths } = makePlaces(t);
  writeFileSync(paths[0] ?? "", "something else");
  assert.deepEqual(lookAtServer(places), { kind: "unknown", why: `${paths[0]} is not a PID file` });
  const folder = makePlaces(t);
  mkdirSync(folder.paths[0] ?? "");
  const why = `cannot read PID file ${folder.paths[0]}: illegal operation on a directory`;
  assert.deepEqual(lookAtServer(folder.places), { kind: "unknown", why });
});
