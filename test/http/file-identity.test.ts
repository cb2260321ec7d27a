import assert from "node:assert/strict";
import { test } from "node:test";
import { unixMilliseconds } from "../../src/base/units.ts";
import { isSecondSettled, isSettled } from "../../src/http/file-identity.ts";

const SECOND = 1_700_000_000_000;
const ns = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n;

const cases: [name: string, modified: number, changed: number, now: number, want: boolean][] = [
  ["changed just now", SECOND + 1, SECOND + 1, SECOND + 1, false],
  ["changed two ticks ago", SECOND + 1, SECOND + 1, SECOND + 21, false],
  ["changed longer ago", SECOND + 1, SECOND + 1, SECOND + 22, true],
  ["changed a little ahead of our clock", SECOND + 21, SECOND + 21, SECOND + 1, false],
  ["dated an hour ahead, changed long ago", SECOND + 3_600_001, SECOND, SECOND + 100, true],
  ["dated back, but changed just now", SECOND - 3_600_000, SECOND + 1, SECOND + 2, false],
  ["changed long ago, dated now", SECOND + 1, SECOND - 3_600_000, SECOND + 2, false],
  ["whole seconds: changed 2 s ago", SECOND, SECOND, SECOND + 2000, false],
  ["whole seconds: changed longer ago", SECOND, SECOND, SECOND + 2001, true],
  ["whole seconds: dated back, changed 2 s ago", SECOND - 3_600_000, SECOND, SECOND + 2000, false],
  ["a whole second set by hand, where times are finer", SECOND, SECOND + 1, SECOND + 22, true],
];
for (const [name, modified, changed, now, want] of cases) {
  test(`isSettled: ${name}`, () => {
    const times = { modifiedNs: ns(modified), changedNs: ns(changed) };
    assert.equal(isSettled(times, unixMilliseconds(now)), want);
  });
}

const seconds: [name: string, now: number, want: boolean][] = [
  ["of this second", SECOND, false],
  ["of two seconds ago", SECOND + 2000, false],
  ["longer ago", SECOND + 2001, true],
];
for (const [name, now, want] of seconds) {
  test(`isSecondSettled: ${name}`, () => {
    assert.equal(isSecondSettled({ modifiedNs: ns(SECOND), changedNs: ns(now) }, unixMilliseconds(now)), want);
  });
}
