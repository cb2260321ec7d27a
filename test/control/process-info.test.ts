import assert from "node:assert/strict";
import { test } from "node:test";
import {
  inspectProcess,
  type ProcessStat,
  parseBootTime,
  parseProcessStat,
  parseResidentMemory,
  readResidentMemory,
} from "../../src/control/process-info.ts";
import { ChildScript } from "../support/child-script.ts";

// Fields 4 to 21 of a real line, then the start time, then some of the rest.
const REST = "7863 7863 4363 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 74455 3133440 380";
const stats: [name: string, text: string, want: ProcessStat | undefined][] = [
  ["an ordinary line", `7868 (node) S ${REST}\n`, { command: "node", state: "S", startTicks: 74455 }],
  [
    "a name with parentheses and blanks",
    `1 (a) S (b) Z ${REST}`,
    { command: "a) S (b", state: "Z", startTicks: 74455 },
  ],
  ["a name with a line feed", `1 (a\nb) R ${REST}`, { command: "a\nb", state: "R", startTicks: 74455 }],
  ["cut before the start time", "1 (node) S 1 2 3", undefined],
  ["empty", "", undefined],
];
for (const [name, text, want] of stats) {
  test(`parseProcessStat: ${name}`, () => assert.deepEqual(parseProcessStat(text), want));
}

test("parseBootTime: the line among others, or nothing", () => {
  assert.equal(parseBootTime("cpu 1 2\nbtime 1700000000\nprocesses 5\n"), 1700000000);
  assert.equal(parseBootTime("cpu 1 2\n"), undefined);
});

test("inspectProcess: this process started after the machine and before now", {
  skip: process.platform !== "linux" && "not Linux",
}, () => {
  const look = inspectProcess(process.pid);
  assert.equal(look.kind, "alive");
  assert.ok(look.info);
  const age = Date.now() - look.info.startedAt;
  // The boot time is in whole seconds.
  assert.ok(age > -1000 && age < process.uptime() * 1000 + 10_000, `${age}`);
});

test("inspectProcess: a process that has ended is gone", async () => {
  const child = new ChildScript("pid-file-contender");
  assert.equal(inspectProcess(child.pid).kind, "alive");
  await child.kill();
  assert.deepEqual(inspectProcess(child.pid), { kind: "gone" });
});

const memories: [name: string, text: string, want: number | undefined][] = [
  ["among other lines", "Name:\tnode\nVmHWM:\t  70000 kB\nVmRSS:\t   65536 kB\nRssAnon:\t 1 kB\n", 64 * 2 ** 20],
  ["a process that has ended has none", "Name:\tnode\nState:\tZ (zombie)\n", undefined],
  ["a name that looks like it", "Name:\tVmRSS: 1 kB\n", undefined],
  ["no number", "VmRSS:\tmuch kB\n", undefined],
];
for (const [name, text, want] of memories) {
  test(`parseResidentMemory: ${name}`, () => assert.equal(parseResidentMemory(text), want));
}

test("readResidentMemory: this process has more than a megabyte, and one that is not there has none", () => {
  assert.ok((readResidentMemory(process.pid) ?? 0) > 2 ** 20);
  assert.equal(readResidentMemory(2 ** 30), undefined);
});
