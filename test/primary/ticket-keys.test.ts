import assert from "node:assert/strict";
import { test } from "node:test";
import { TicketKeys } from "../../src/primary/ticket-keys.ts";

const HOUR_MS = 3600 * 1000;
const START = 1_000_000;

test("TicketKeys: 48 bytes, and others for every server", () => {
  const one = new TicketKeys(() => 0).current;
  const two = new TicketKeys(() => 0).current;
  assert.equal(one.length, 48);
  assert.notDeepEqual(one, two);
});

test("TicketKeys: the same for half a day, and then new ones for half a day", () => {
  let now = START;
  const keys = new TicketKeys(() => now);
  const first = keys.current;
  now = START + 12 * HOUR_MS - 1;
  assert.equal(keys.current, first);
  now += 1;
  const second = keys.current;
  assert.equal(second.length, 48);
  assert.notDeepEqual(second, first);
  now += 12 * HOUR_MS - 1;
  assert.equal(keys.current, second);
  now += 1;
  assert.notDeepEqual(keys.current, second);
});

test("TicketKeys: after a long sleep they are made once", () => {
  let now = START;
  const keys = new TicketKeys(() => now);
  now += 100 * HOUR_MS;
  const { current } = keys;
  assert.equal(keys.current, current);
});
