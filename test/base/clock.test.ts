import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EventLoopTurn } from "../../src/base/clock.ts";

test("EventLoopTurn: one number within a turn, microtasks included", async () => {
  const turn = new EventLoopTurn();
  const number = turn.current();
  assert.equal(turn.current(), number);
  await Promise.resolve();
  assert.equal(turn.current(), number);
});

test("EventLoopTurn: another number in each turn that asks", async () => {
  const turn = new EventLoopTurn();
  const seen = new Set([turn.current()]);
  for (let i = 0; i < 5; i++) {
    await nextTurn();
    seen.add(turn.current());
  }
  assert.equal(seen.size, 6);
});

test("EventLoopTurn: a turn in which nobody asked costs nothing, and the next one is still another", async () => {
  const turn = new EventLoopTurn();
  const before = turn.current();
  await nextTurn();
  await nextTurn();
  assert.notEqual(turn.current(), before);
});
