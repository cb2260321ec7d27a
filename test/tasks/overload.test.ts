import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import { OverloadReport } from "../../src/tasks/overload.ts";
import { MemoryEvents } from "../support/memory-events.ts";

/** `2+1`: two tasks run and one waits; `full`: one was refused; a number: so many milliseconds go by. */
type Step = string | number;

const BEGIN = "warn: all 2 workers are busy: tasks wait in the queue";
const FULL = "warn: queue is full (3 waiting): answering 503";
const END = "info: workers have caught up";

const cases: [name: string, steps: Step[], want: string[]][] = [
  ["busy threads alone are no news", ["1+0", "2+0", "1+0", "0+0", 5000], []],
  ["the first task that waits", ["2+0", "2+1", "2+2", "2+3", "2+2"], [BEGIN]],
  ["it is over when a thread stays free", ["2+1", "2+0", "1+0", 999, 1], [BEGIN, END]],
  ["not before", ["2+1", "2+0", "1+0", 999], [BEGIN]],
  ["nor while all are busy", ["2+1", "2+0", 5000], [BEGIN]],
  ["a pool at its limit does not say so all the time", ["2+1", "1+0", 999, "2+1", "1+0", 999, "2+1"], [BEGIN]],
  ["it says so again when it was over", ["2+1", "1+0", 1000, "2+1"], [BEGIN, END, BEGIN]],
  ["less to do still is not over twice", ["2+1", "1+0", 500, "0+0", 500, "1+0", 5000], [BEGIN, END]],
  [
    "one line for all that are refused",
    ["2+3", "full", "full", "1+0", 1000],
    [BEGIN, FULL, `${END}; refused meanwhile: 2`],
  ],
  [
    "refused anew, counted anew",
    ["2+3", "full", "1+0", 1000, "2+3", "full"],
    [BEGIN, FULL, `${END}; refused meanwhile: 1`, BEGIN, FULL],
  ],
  ["a refusal puts the end off", ["2+1", "1+0", 999, "full", 1], [BEGIN, FULL]],
];
for (const [name, steps, want] of cases) {
  test(`OverloadReport: ${name}`, (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const events = new MemoryEvents();
    const report = new OverloadReport(events, milliseconds(1000));
    for (const step of steps) {
      if (typeof step === "number") t.mock.timers.tick(step);
      else if (step === "full") report.refused({ threads: 2, active: 2, queue: 3, waiting: 3, reserved: 0 });
      else {
        const [active = 0, waiting = 0] = step.split("+").map(Number);
        report.changed({ threads: 2, active, queue: 3, waiting, reserved: 0 });
      }
    }
    assert.deepEqual(events.all, want);
  });
}

test("OverloadReport: without a queue", () => {
  const events = new MemoryEvents();
  new OverloadReport(events).refused({ threads: 2, active: 2, queue: 0, waiting: 0, reserved: 0 });
  assert.deepEqual(events.all, ["warn: all 2 workers are busy: answering 503"]);
});
