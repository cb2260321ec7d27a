import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { MessageMemo } from "../../src/http/message-memo.ts";
import { formatResponseHead } from "../../src/http/response-head.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";

function formatted(second: number, body = "body"): Uint8Array {
  return Buffer.from(formatResponseHead(PLAN, unixSeconds(second), undefined) + body, "latin1");
}

const PLAN: ResponsePlan = { status: 200, fields: [{ name: "Content-Length", value: "4" }], body: { kind: "none" } };

test("MessageMemo: holds nothing at first", () => {
  assert.equal(new MessageMemo().at(unixSeconds(0)), undefined);
});

test("MessageMemo: gives the very bytes it was given, with the date of the second", () => {
  const memo = new MessageMemo();
  const message = formatted(10);
  memo.keep(unixSeconds(10), message);
  for (const second of [10, 11, 9, 10, 2_000_000_000]) {
    assert.equal(memo.at(unixSeconds(second)), message);
    assert.deepEqual(message, formatted(second));
  }
});

test("MessageMemo: what was let go stays as it was", () => {
  const memo = new MessageMemo();
  const message = formatted(10);
  memo.keep(unixSeconds(10), message);
  memo.release();
  assert.equal(memo.at(unixSeconds(11)), undefined);
  assert.deepEqual(message, formatted(10));
  memo.keep(unixSeconds(11), formatted(11));
  assert.deepEqual(memo.at(unixSeconds(12)), formatted(12));
  assert.deepEqual(message, formatted(10));
});

test("MessageMemo: tells of each message that is made, not of a new date", () => {
  const made: Uint8Array[] = [];
  const memo = new MessageMemo((message) => made.push(message));
  const message = formatted(10);
  memo.keep(unixSeconds(10), message);
  memo.at(unixSeconds(11));
  assert.deepEqual(made, [message]);
});
