import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { milliseconds } from "../../src/base/units.ts";
import {
  describeReload,
  describeStop,
  type ReloadOutcome,
  reloadServer,
  type StopOutcome,
  stopServer,
} from "../../src/control/ask-server.ts";
import type { PidFilePath } from "../../src/control/pid-file.ts";
import { ChildScript } from "../support/child-script.ts";
import { makeTree } from "../support/file-tree.ts";

const path = absolutePath("/run/comanche.pid");
const other = absolutePath("/home/ann/comanche.pid");
const stopReports: [outcome: StopOutcome, message: string, exitStatus: 0 | 1][] = [
  [{ kind: "stopped", pid: 7 }, "stopped (PID 7)", 0],
  [{ kind: "not-running", paths: [path] }, "not running: no live process in PID file /run/comanche.pid", 1],
  [
    { kind: "not-running", paths: [path, other] },
    "not running: no live process in PID file /run/comanche.pid or /home/ann/comanche.pid",
    1,
  ],
  [
    { kind: "forbidden", pid: 7, path },
    "may not stop PID 7 (PID file /run/comanche.pid): it belongs to another user",
    1,
  ],
  [{ kind: "not-a-pid-file", path }, "/run/comanche.pid is not a PID file: no process was signalled", 1],
  [
    { kind: "stranger", pid: 7, command: "sleep", path },
    "not running: PID 7 of PID file /run/comanche.pid is another program now (sleep)",
    1,
  ],
  [
    { kind: "unproven", pid: 7, command: "sleep", path },
    "not signalled: nothing proves that PID 7 of PID file /run/comanche.pid is Comanche (sleep): if it is, use kill",
    1,
  ],
  [
    { kind: "protected", pid: 1, path },
    "not signalled: PID file /run/comanche.pid names PID 1, which only the container's runtime signals",
    1,
  ],
  [
    { kind: "protected", pid: 7, path },
    "not signalled: PID file /run/comanche.pid names PID 7, which started this command",
    1,
  ],
  [
    { kind: "draining", pid: 7, timeout: milliseconds(35_000) },
    "PID 7 was asked to stop but is still running after 35 s",
    1,
  ],
];
for (const [outcome, message, exitStatus] of stopReports) {
  test(`describeStop: ${message}`, () => assert.deepEqual(describeStop(outcome), { message, exitStatus }));
}

function makePlaces(context: TestContext): readonly PidFilePath[] {
  const folder = makeTree(context);
  return ["absent.pid", "comanche.pid"].map((name) => ({
    path: absolutePath(join(folder, name)),
    folderMode: undefined,
  }));
}

/** A process that holds the last of the places. */
async function startHolder(
  context: TestContext,
  places: readonly PidFilePath[],
  manner = "polite",
): Promise<ChildScript> {
  const holder = new ChildScript("pid-file-contender", [places.at(-1)?.path ?? "", manner]);
  context.after(() => holder.kill());
  await holder.nextLine();
  holder.say("go");
  assert.equal(await holder.nextLine(), "got");
  return holder;
}

test("stopServer: the process of the first live PID file gets TERM, and stop returns when it has gone", async (context) => {
  const places = makePlaces(context);
  const holder = await startHolder(context, places);
  assert.deepEqual(await stopServer(places, milliseconds(10_000)), { kind: "stopped", pid: holder.pid });
  assert.deepEqual(await holder.end, { status: null, signal: "SIGTERM" });
});

test("stopServer: no file, or that of a dead process: not running", async (context) => {
  const places = makePlaces(context);
  const want = { kind: "not-running", paths: places.map((place) => place.path) };
  assert.deepEqual(await stopServer(places, milliseconds(0)), want);
  const holder = await startHolder(context, places);
  await holder.kill();
  assert.deepEqual(await stopServer(places, milliseconds(0)), want);
});

const refused: [content: (stranger: number) => string, kind: StopOutcome["kind"]][] = [
  [() => "1\n", "protected"],
  [() => `${process.ppid}\n`, "protected"],
  [() => "0\n", "not-a-pid-file"],
  [() => "-1\n", "not-a-pid-file"],
  [(stranger) => `-${stranger}\n`, "not-a-pid-file"],
  [() => "comanche\n", "not-a-pid-file"],
  [(stranger) => `${stranger}\n`, "unproven"],
];

test("stop and reload: only a proven server is signalled, whatever the PID file holds", async (context) => {
  const places = makePlaces(context);
  const path = places[0]?.path ?? "";
  // Any signal would end it.
  const stranger = spawn("sleep", ["1000"]);
  context.after(() => stranger.kill());
  const { pid = 0 } = stranger;
  for (const [content, kind] of refused) {
    writeFileSync(path, content(pid));
    for (const outcome of [await stopServer(places, milliseconds(0)), await reloadServer(places, milliseconds(0))]) {
      assert.equal(outcome.kind, kind, content(pid));
    }
  }
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  const want = { kind: "stranger", pid, command: "sleep", path };
  assert.deepEqual(await stopServer(places, milliseconds(0)), want);
  assert.equal(stranger.kill(0), true);
  assert.deepEqual([stranger.exitCode, stranger.signalCode], [null, null]);
});

test("stopServer: a server that takes longer than the timeout is still draining", async (context) => {
  const places = makePlaces(context);
  const holder = await startHolder(context, places, "stubborn");
  const timeout = milliseconds(100);
  assert.deepEqual(await stopServer(places, timeout), { kind: "draining", pid: holder.pid, timeout });
});

const timeout = milliseconds(20_000);

const reloadReports: [outcome: ReloadOutcome, message: string, exitStatus: 0 | 1][] = [
  [{ kind: "done", pid: 7, message: "generation 3" }, "reloaded (PID 7): generation 3", 0],
  [{ kind: "done", pid: 7, message: "" }, "reloaded (PID 7)", 0],
  [
    { kind: "failed", pid: 7, message: "x.conf:1: junk" },
    "reload failed (PID 7), keeping the old configuration: x.conf:1: junk",
    1,
  ],
  [{ kind: "failed", pid: 7, message: "a\nb" }, "reload failed (PID 7), keeping the old configuration: a\nb", 1],
  [{ kind: "not-running", paths: [path] }, "not running: no live process in PID file /run/comanche.pid", 1],
  [
    { kind: "forbidden", pid: 7, path },
    "may not reload PID 7 (PID file /run/comanche.pid): it belongs to another user",
    1,
  ],
  [{ kind: "stopping", pid: 7 }, "PID 7 does not reload: it is stopping", 1],
  [{ kind: "died", pid: 7 }, "PID 7 exited before it had reloaded: see its error log", 1],
  [
    { kind: "mute", pid: 7 },
    "PID 7 was asked to reload, but its state file cannot be read: see its error log for the result",
    1,
  ],
  [
    { kind: "silent", pid: 7, timeout: milliseconds(60_000) },
    "PID 7 was asked to reload but has not reported a result within 60 s",
    1,
  ],
];
for (const [outcome, message, exitStatus] of reloadReports) {
  test(`describeReload: ${message}`, () => assert.deepEqual(describeReload(outcome), { message, exitStatus }));
}

/** A server of that manner behind the last of the places. */
async function startServer(t: TestContext, manner: string) {
  let server: ChildScript | undefined;
  // Before the folder goes, for it may be writing there.
  t.after(() => server?.kill());
  const folder = makeTree(t);
  const places: readonly PidFilePath[] = ["absent.pid", "x.pid"].map((name) => ({
    path: absolutePath(join(folder, name)),
    folderMode: undefined,
  }));
  server = new ChildScript("reload-server", [places[1]?.path ?? "", manner]);
  assert.equal(await server.nextLine(), "ready", server.standardError);
  return { server, places };
}

const answers: [name: string, manner: string, want: Readonly<Record<string, string>>][] = [
  ["what the server says of it, and not of an earlier one", "done", { kind: "done", message: "generation 3" }],
  ["a failure with every line of it", "failed", { kind: "failed", message: "x.conf:1: a\nx.conf:2: b" }],
  ["a server that dies of it", "dies", { kind: "died" }],
  ["a server that stops instead", "stops", { kind: "stopping" }],
  ["a server without state file", "mute", { kind: "mute" }],
  ["a server whose state file is another's", "replaced", { kind: "mute" }],
];
for (const [name, manner, want] of answers) {
  test(`reloadServer: ${name}`, async (t) => {
    const { server, places } = await startServer(t, manner);
    assert.deepEqual(await reloadServer(places, timeout), { ...want, pid: server.pid });
    assert.equal(await server.nextLine(), "hangup");
  });
}

test("reloadServer: a server that says nothing is waited for until the timeout", async (t) => {
  const { server, places } = await startServer(t, "silent");
  const short = milliseconds(100);
  assert.deepEqual(await reloadServer(places, short), { kind: "silent", pid: server.pid, timeout: short });
});

test("reloadServer: one that is stopping already is not asked", async (t) => {
  const { server, places } = await startServer(t, "stopping");
  assert.deepEqual(await reloadServer(places, timeout), { kind: "stopping", pid: server.pid });
  server.endInput();
  assert.equal(await server.nextLine(), undefined);
});

test("reloadServer: each reload has its own answer", async (t) => {
  const { server, places } = await startServer(t, "done");
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual(await reloadServer(places, timeout), { kind: "done", pid: server.pid, message: "generation 3" });
  }
});

test("reloadServer: nobody there", async (t) => {
  const { server, places } = await startServer(t, "done");
  await server.kill();
  const paths = places.map((place) => place.path);
  assert.deepEqual(await reloadServer(places, timeout), { kind: "not-running", paths });
});
