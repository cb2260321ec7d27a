import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { unixMilliseconds } from "../../src/base/units.ts";
import { findHolder, type Holder, judgeHolder, type Proof } from "../../src/control/holder.ts";
import { readPidFile } from "../../src/control/pid-file-content.ts";
import { identifyProcess, type ProcessState } from "../../src/control/process-info.ts";
import { StateFile } from "../../src/control/state-file.ts";
import { makeTree } from "../support/file-tree.ts";

const WRITTEN = 1_000_000;
const EARLIER = WRITTEN - 60_000;
const LATER = WRITTEN + 60_000;
const ANN = 1000;
const BOB = 1001;
const alive = (command: string, startedAt: number, user = ANN): ProcessState => ({
  kind: "alive",
  info: { command, startTicks: 1, startedAt: unixMilliseconds(startedAt), user },
});

const judgements: [name: string, look: ProcessState, proof: Proof, want: Holder["kind"], facts?: object][] = [
  ["no such process", { kind: "gone" }, "none", "gone"],
  ["our own number, left by an earlier process", alive("node", EARLIER), "same", "gone", { pid: 8 }],
  ["proven", alive("node", EARLIER), "same", "server"],
  ["proven, after the clock was set", alive("node", LATER), "same", "server"],
  ["disproven: another Comanche", alive("comanche: prima", EARLIER), "other", "stranger"],
  ["disproven: another user's", alive("sshd", EARLIER, 0), "other", "stranger"],
  ["alive, and nothing more is known", { kind: "alive", info: undefined }, "same", "unproven"],
  ["of another user than the file's owner", alive("sshd", EARLIER, 0), "same", "unproven"],
  ["of another user, and root vouches", alive("node", EARLIER, BOB), "same", "server", { owner: 0 }],
  ["our title, without a state file", alive("comanche: prima", EARLIER), "none", "server"],
  ["boot time is in whole seconds", alive("comanche: prima", WRITTEN + 1999), "none", "server"],
  ["our title, after the clock was set", alive("comanche: prima", LATER), "none", "unproven"],
  ["a node of before", alive("node", EARLIER), "none", "unproven"],
  ["a node that started later", alive("node", LATER), "none", "unproven"],
  ["another program of before", alive("sshd", EARLIER), "none", "unproven"],
  ["another program that started later", alive("sshd", LATER), "none", "stranger"],
];
for (const [name, look, proof, want, facts] of judgements) {
  test(`judgeHolder: ${name}: ${want}`, () => {
    const file = { pid: 7, writtenAt: unixMilliseconds(WRITTEN), owner: ANN, ...facts };
    assert.equal(judgeHolder(file, look, proof, { pid: 8, command: "node" }), want);
  });
}

test("findHolder: a process counts while its boot and start time are those of the state file", (t) => {
  const path = absolutePath(join(makeTree(t), "pid"));
  const program = spawn("sleep", ["1000"]);
  t.after(() => program.kill());
  const { pid } = program;
  assert.ok(pid !== undefined);
  writeFileSync(path, `${pid}\n`);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  const hold = (process: string | undefined): Holder => {
    const state = { pid, process, version: "1", phase: "serving" as const, startedAt: unixMilliseconds(0) };
    const rest = { generation: 1, configFile: undefined, endpoints: [], workers: [], hangups: 0, reload: undefined };
    new StateFile(path).write({ ...state, ...rest });
    const content = readPidFile(path);
    return content.kind === "pid" ? findHolder(content, path) : assert.fail(content.kind);
  };
  assert.deepEqual(hold(identifyProcess(pid)), { kind: "server", pid });
  assert.deepEqual(hold("another boot, 7"), { kind: "stranger", pid, command: "sleep" });
  assert.deepEqual(hold(undefined), { kind: "stranger", pid, command: "sleep" });
});
