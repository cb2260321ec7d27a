import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { MessageMemo } from "../../src/http/message-memo.ts";

const first = Buffer.from("first");
const second = Buffer.from("second");

test("MessageMemo: holds nothing at first", () => {
  assert.equal(new MessageMemo().at(unixSeconds(0)), undefined);
});

test("MessageMemo: gives the very bytes it was given, for that second alone", () => {
  const memo = new MessageMemo();
  memo.keep(unixSeconds(10), first);
  assert.equal(memo.at(unixSeconds(10)), first);
  assert.equal(memo.at(unixSeconds(11)), undefined);
  assert.equal(memo.at(unixSeconds(9)), undefined);
  assert.equal(memo.at(unixSeconds(10)), first);
});

test("MessageMemo: the latest message takes the place of the one before, which stays as it was", () => {
  const memo = new MessageMemo();
  memo.keep(unixSeconds(10), first);
  memo.keep(unixSeconds(11), second);
  assert.equal(memo.at(unixSeconds(10)), undefined);
  assert.equal(memo.at(unixSeconds(11)), second);
  assert.equal(first.toString(), "first");
});
