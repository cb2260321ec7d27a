import assert from "node:assert/strict";
import { test } from "node:test";
import { TicketKeys } from "../../src/primary/ticket-keys.ts";

const HOUR_MS = 3600 * 1000;
const START = 1_000_000;

function ageing() {
  let now = START;
  const keys = new TicketKeys(() => now);
  const age = (hours: number): void => {
    now += hours * HOUR_MS;
  };
  return { keys, age };
}

test("TicketKeys: one key of 48 bytes, and another for every server", () => {
  const one = ageing().keys.current;
  const two = ageing().keys.current;
  assert.deepEqual([one.length, one[0]?.length], [1, 48]);
  assert.notDeepEqual(one, two);
});

test("TicketKeys: the same for half a day; then another encrypts, and the previous one decrypts what it has encrypted", () => {
  const { keys, age } = ageing();
  const first = keys.current;
  age(11.99);
  assert.equal(keys.current, first);
  age(0.01);
  const second = keys.current;
  assert.equal(second.length, 2);
  assert.notDeepEqual(second[0], first[0]);
  assert.equal(second[1], first[0]);
  age(2);
  assert.equal(keys.current, second);
  age(0.1);
  assert.deepEqual(keys.current, [second[0]]);
  age(9.9);
  const third = keys.current;
  assert.equal(third[1], second[0]);
  assert.equal(third.length, 2);
});

test("TicketKeys: after a long sleep one is made, once", () => {
  const { keys, age } = ageing();
  age(100);
  const { current } = keys;
  assert.equal(keys.current, current);
});
