import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPoolStatus, hasRoom, isStatusNews, mayReserve, type PoolState } from "../../src/tasks/pool-status.ts";

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
