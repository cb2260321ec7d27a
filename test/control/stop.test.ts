import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { milliseconds } from "../../src/base/units.ts";
import type { PidFilePath } from "../../src/control/pid-file.ts";
import { describeStop, type StopOutcome, stopServer } from "../../src/control/stop.ts";
import { ChildScript } from "../support/child-script.ts";

const path = absolutePath("/run/comanche.pid");
const other = absolutePath("/home/ann/comanche.pid");
const reports: [outcome: StopOutcome, message: string, exitStatus: 0 | 1][] = [
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
  [
    { kind: "draining", pid: 7, patience: milliseconds(35_000) },
    "PID 7 was asked to stop but is still running after 35 s",
    1,
  ],
];
for (const [outcome, message, exitStatus] of reports) {
  test(`describeStop: ${message}`, () => assert.deepEqual(describeStop(outcome), { message, exitStatus }));
}

function makePlaces(context: TestContext): readonly PidFilePath[] {
  const folder = mkdtempSync(join(tmpdir(), "comanche-stop-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return ["absent.pid", "comanche.pid"].map((name) => ({
    path: absolutePath(join(folder, name)),
    isInStateDirectory: false,
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

test("stopServer: never signals what no PID file of ours can name", async (context) => {
  const places = makePlaces(context);
  writeFileSync(places[0]?.path ?? "", `-${process.pid}\n`);
  assert.equal((await stopServer(places, milliseconds(0))).kind, "not-running");
});

test("stopServer: a server that takes longer than the patience is still draining", async (context) => {
  const places = makePlaces(context);
  const holder = await startHolder(context, places, "stubborn");
  const patience = milliseconds(100);
  assert.deepEqual(await stopServer(places, patience), { kind: "draining", pid: holder.pid, patience });
});
