import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds, unixSeconds } from "../../src/base/units.ts";
import { CLOSING_LINES, formatResponseHead, keepingLines, MessageMemo } from "../../src/http/response-head.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";

const NOW = unixSeconds(Date.UTC(2024, 2, 15, 10, 30) / 1000);
const DATE = "Date: Fri, 15 Mar 2024 10:30:00 GMT\r\n";

const plan = (status: ResponsePlan["status"], ...fields: [name: string, value: string][]): ResponsePlan => ({
  status,
  fields: fields.map(([name, value]) => ({ name, value })),
  body: { kind: "none" },
});

const cases: [name: string, plan: ResponsePlan, connection: string, want: string][] = [
  ["no fields", plan(204), "", `HTTP/1.1 204 No Content\r\n${DATE}\r\n`],
  [
    "Connection comes last",
    plan(200, ["ETag", '"x"']),
    CLOSING_LINES,
    `HTTP/1.1 200 OK\r\n${DATE}ETag: "x"\r\nConnection: close\r\n\r\n`,
  ],
  [
    "fields in their order, also of one name",
    plan(404, ["B", "1"], ["A", "2"], ["B", "3"]),
    "",
    `HTTP/1.1 404 Not Found\r\n${DATE}B: 1\r\nA: 2\r\nB: 3\r\n\r\n`,
  ],
  [
    "a connection that is kept",
    plan(304, ["ETag", '"x"']),
    keepingLines(milliseconds(75_000), 100),
    `HTTP/1.1 304 Not Modified\r\n${DATE}ETag: "x"\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75, max=100\r\n\r\n`,
  ],
  ["an empty value", plan(200, ["X", ""]), "", `HTTP/1.1 200 OK\r\n${DATE}X: \r\n\r\n`],
  [
    "a long phrase",
    plan(431),
    CLOSING_LINES,
    `HTTP/1.1 431 Request Header Fields Too Large\r\n${DATE}Connection: close\r\n\r\n`,
  ],
];
for (const [name, one, connection, want] of cases) {
  test(`formatResponseHead: ${name}`, () => assert.equal(formatResponseHead(one, NOW, connection), want));
}

test("keepingLines: parts of a second are promised to nobody", () => {
  assert.match(keepingLines(milliseconds(3_999), 1), /timeout=3,/);
  assert.match(keepingLines(milliseconds(500), 1), /timeout=0,/);
});

test("formatResponseHead: the date follows the clock, forwards and backwards", () => {
  const dateAt = (now: number) => /^Date: (.*)$/m.exec(formatResponseHead(plan(200), unixSeconds(now), ""))?.[1];
  assert.equal(dateAt(NOW + 1), "Fri, 15 Mar 2024 10:30:01 GMT");
  assert.equal(dateAt(NOW), "Fri, 15 Mar 2024 10:30:00 GMT");
  assert.equal(dateAt(0), "Thu, 01 Jan 1970 00:00:00 GMT");
});

function formatted(second: number, body = "body"): Uint8Array {
  return Buffer.from(formatResponseHead(PLAN, unixSeconds(second), "") + body, "latin1");
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
