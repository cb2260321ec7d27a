import assert from "node:assert/strict";
import { test } from "node:test";
import { type UnixMilliseconds, unixMilliseconds } from "../../src/base/units.ts";
import { cachePerSecond, formatCommonTime, formatConsoleTime } from "../../src/observe/log-time.ts";

const at = (iso: string): UnixMilliseconds => unixMilliseconds(Date.parse(iso));

const moments: [name: string, moment: string, offset: number, common: string, console: string][] = [
  ["west of Greenwich", "2000-10-10T20:55:36Z", -420, "10/Oct/2000:13:55:36 -0700", "2000-10-10 13:55:36"],
  ["in Greenwich", "2024-03-15T10:30:00Z", 0, "15/Mar/2024:10:30:00 +0000", "2024-03-15 10:30:00"],
  ["an offset with minutes", "2024-01-01T00:00:00Z", 345, "01/Jan/2024:05:45:00 +0545", "2024-01-01 05:45:00"],
  ["minutes west", "2024-01-01T01:02:03Z", -210, "31/Dec/2023:21:32:03 -0330", "2023-12-31 21:32:03"],
  [
    "the day after, in the new year",
    "2023-12-31T23:59:59.999Z",
    60,
    "01/Jan/2024:00:59:59 +0100",
    "2024-01-01 00:59:59",
  ],
];
for (const [name, moment, offset, common, console] of moments) {
  test(`formatCommonTime: ${name}`, () => assert.equal(formatCommonTime(at(moment), offset), common));
  test(`formatConsoleTime: ${name}`, () => assert.equal(formatConsoleTime(at(moment), offset), console));
}

test("cachePerSecond: formats once a second, and follows a clock that goes back", () => {
  const asked: number[] = [];
  const format = cachePerSecond((moment) => {
    asked.push(moment);
    return `at ${moment}`;
  });
  const texts = [1000, 1999, 2000, 2500, 1500].map((moment) => format(unixMilliseconds(moment)));
  assert.deepEqual(texts, ["at 1000", "at 1000", "at 2000", "at 2000", "at 1000"]);
  assert.deepEqual(asked, [1000, 2000, 1000]);
});
