import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import {
  formatPoolStatus,
  hasRoom,
  isStatusNews,
  mayReserve,
  OverloadReport,
  type PoolState,
} from "../../src/tasks/overload.ts";
import { MemoryEvents } from "../support/memory-events.ts";

function stateOf(active: number, waiting: number, queue = 50, threads = 10, reserved = 0): PoolState {
  return { threads, active, queue, waiting, reserved };
}

const lines: [name: string, state: PoolState, want: string, room: boolean][] = [
  ["nothing to do", stateOf(0, 0), "🟢 Thread pool: 0/10 active | Queue: 0/50", true],
  ["some threads are free", stateOf(3, 0), "🟢 Thread pool: 3/10 active | Queue: 0/50", true],
  ["one thread is free", stateOf(9, 0), "🟢 Thread pool: 9/10 active | Queue: 0/50", true],
  ["all are busy", stateOf(10, 0), "🟡 Thread pool: 10/10 active | Queue: 0/50", true],
  ["tasks wait", stateOf(10, 1), "🟡 Thread pool: 10/10 active | Queue: 1/50", true],
  ["one place is left", stateOf(10, 49), "🟡 Thread pool: 10/10 active | Queue: 49/50", true],
  ["the queue is full", stateOf(10, 50), "🔴 Thread pool: 10/10 active | Queue: 50/50", false],
  ["without a queue, one is free", stateOf(1, 0, 0, 2), "🟢 Thread pool: 1/2 active | Queue: 0/0", true],
  ["without a queue, all are busy", stateOf(2, 0, 0, 2), "🔴 Thread pool: 2/2 active | Queue: 0/0", false],
];
for (const [name, state, want, room] of lines) {
  test(`formatPoolStatus: ${name}`, () => assert.equal(formatPoolStatus(state), want));
  test(`hasRoom: ${name}`, () => assert.equal(hasRoom(state), room));
}

const keepable: [name: string, state: PoolState, want: boolean][] = [
  ["nothing to do", stateOf(0, 0, 5, 2, 0), true],
  ["less than half are kept", stateOf(0, 0, 5, 2, 2), true],
  ["half are kept", stateOf(0, 0, 5, 2, 3), false],
  ["no place is left", stateOf(2, 5, 5, 2, 0), false],
  ["the last place", stateOf(2, 3, 5, 2, 1), true],
  ["one thread and no queue", stateOf(0, 0, 0, 1, 0), false],
];
for (const [name, state, want] of keepable) {
  test(`mayKeepPlace: ${name}`, () => assert.equal(mayReserve(state), want));
}

test("hasRoom: kept places are taken", () => assert.equal(hasRoom(stateOf(2, 3, 5, 2, 2)), false));

const news: [name: string, state: PoolState, before: PoolState | undefined, want: boolean][] = [
  ["idle since the start", stateOf(0, 0), undefined, false],
  ["idle as before", stateOf(0, 0), stateOf(0, 0), false],
  ["busy for the first time", stateOf(1, 0), undefined, true],
  ["busy again", stateOf(1, 0), stateOf(0, 0), true],
  ["as busy as before", stateOf(1, 0), stateOf(1, 0), true],
  ["idle since the last line", stateOf(0, 0), stateOf(1, 0), true],
];
for (const [name, state, before, want] of news) {
  test(`isStatusNews: ${name}`, () => assert.equal(isStatusNews(state, before), want));
}

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
