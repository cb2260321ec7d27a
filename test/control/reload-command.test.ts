import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { milliseconds } from "../../src/base/units.ts";
import type { PidFilePath } from "../../src/control/pid-file.ts";
import { describeReload, type ReloadOutcome, reloadServer } from "../../src/control/reload-command.ts";
import { ChildScript } from "../support/child-script.ts";
import { makeTree } from "../support/file-tree.ts";

const path = absolutePath("/run/comanche.pid");
const patience = milliseconds(20_000);

const reports: [outcome: ReloadOutcome, message: string, exitStatus: 0 | 1][] = [
  [{ kind: "done", pid: 7, message: "generation 3" }, "reloaded (PID 7): generation 3", 0],
  [{ kind: "done", pid: 7, message: "" }, "reloaded (PID 7)", 0],
  [{ kind: "failed", pid: 7, message: "x.conf:1: junk" }, "not reloaded (PID 7): x.conf:1: junk", 1],
  [{ kind: "failed", pid: 7, message: "a\nb" }, "not reloaded (PID 7): a\nb", 1],
  [{ kind: "not-running", paths: [path] }, "not running: no live process in PID file /run/comanche.pid", 1],
  [
    { kind: "forbidden", pid: 7, path },
    "may not reload PID 7 (PID file /run/comanche.pid): it belongs to another user",
    1,
  ],
  [{ kind: "stopping", pid: 7 }, "PID 7 does not reload: it is stopping", 1],
  [{ kind: "died", pid: 7 }, "PID 7 ended before it had reloaded: its error log says why", 1],
  [
    { kind: "mute", pid: 7 },
    "PID 7 was asked to reload, but it keeps no state file that can be read: its error log says what came of it",
    1,
  ],
  [
    { kind: "silent", pid: 7, patience: milliseconds(60_000) },
    "PID 7 was asked to reload but has not said within 60 s what came of it",
    1,
  ],
];
for (const [outcome, message, exitStatus] of reports) {
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
    isInStateDirectory: false,
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
    assert.deepEqual(await reloadServer(places, patience), { ...want, pid: server.pid });
    assert.equal(await server.nextLine(), "hangup");
  });
}

test("reloadServer: a server that says nothing is waited for as long as the patience lasts", async (t) => {
  const { server, places } = await startServer(t, "silent");
  const short = milliseconds(100);
  assert.deepEqual(await reloadServer(places, short), { kind: "silent", pid: server.pid, patience: short });
});

test("reloadServer: one that is stopping already is not asked", async (t) => {
  const { server, places } = await startServer(t, "stopping");
  assert.deepEqual(await reloadServer(places, patience), { kind: "stopping", pid: server.pid });
  server.endInput();
  assert.equal(await server.nextLine(), undefined);
});

test("reloadServer: each reload has its own answer", async (t) => {
  const { server, places } = await startServer(t, "done");
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual(await reloadServer(places, patience), { kind: "done", pid: server.pid, message: "generation 3" });
  }
});

test("reloadServer: nobody there", async (t) => {
  const { server, places } = await startServer(t, "done");
  await server.kill();
  const paths = places.map((place) => place.path);
  assert.deepEqual(await reloadServer(places, patience), { kind: "not-running", paths });
});
