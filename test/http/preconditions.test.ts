import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { formatHttpDate } from "../../src/http/http-date.ts";
import {
  checkPreconditions,
  isIfRangeSatisfied,
  type PreconditionResult,
  type Validators,
} from "../../src/http/preconditions.ts";
import type { Method } from "../../src/http/request-head.ts";
import { type FieldLine, fakeRequestHead } from "../support/request-head.ts";

const MODIFIED = unixSeconds(1_700_000_000);
const NOW = unixSeconds(MODIFIED + 86_400);
const SAME = formatHttpDate(MODIFIED);
const BEFORE = formatHttpDate(unixSeconds(MODIFIED - 1));
const AFTER = formatHttpDate(unixSeconds(MODIFIED + 1));
const file: Validators = { tag: { weak: false, opaque: "v2" }, modified: MODIFIED };
const youngFile: Validators = { tag: { weak: true, opaque: "v2" }, modified: MODIFIED };

const ifMatch = (value: string): FieldLine => ["If-Match", value];
const ifNoneMatch = (value: string): FieldLine => ["If-None-Match", value];
const ifModifiedSince = (value: string): FieldLine => ["If-Modified-Since", value];
const ifUnmodifiedSince = (value: string): FieldLine => ["If-Unmodified-Since", value];

const cases: [name: string, fields: readonly FieldLine[], want: PreconditionResult][] = [
  ["no condition", [], "proceed"],

  ["If-Match: this version", [ifMatch('"v2"')], "proceed"],
  ["If-Match: one of several", [ifMatch('"v1", "v2"')], "proceed"],
  ["If-Match: on two lines", [ifMatch('"v1"'), ifMatch('"v2"')], "proceed"],
  ["If-Match: any", [ifMatch("*")], "proceed"],
  ["If-Match: another version", [ifMatch('"v1"')], "failed"],
  ["If-Match: compares strongly", [ifMatch('W/"v2"')], "failed"],
  ["If-Match: an asterisk in quotes is a tag", [ifMatch('"*"')], "failed"],
  ["If-Match: a comma inside a tag does not split it", [ifMatch('"v1,"v2"')], "failed"],
  ["If-Match: malformed", [ifMatch('"v2", v3')], "failed"],
  ["If-Match: empty", [ifMatch("")], "failed"],

  ["If-Unmodified-Since: the same second", [ifUnmodifiedSince(SAME)], "proceed"],
  ["If-Unmodified-Since: later", [ifUnmodifiedSince(AFTER)], "proceed"],
  ["If-Unmodified-Since: earlier", [ifUnmodifiedSince(BEFORE)], "failed"],
  ["If-Unmodified-Since: no date is ignored", [ifUnmodifiedSince("yesterday")], "proceed"],
  ["If-Unmodified-Since: twice is ignored", [ifUnmodifiedSince(BEFORE), ifUnmodifiedSince(BEFORE)], "proceed"],

  ["If-None-Match: this version", [ifNoneMatch('"v2"')], "not-modified"],
  ["If-None-Match: compares weakly", [ifNoneMatch('W/"v2"')], "not-modified"],
  ["If-None-Match: one of several", [ifNoneMatch('"v1", "v2"')], "not-modified"],
  ["If-None-Match: any", [ifNoneMatch("*")], "not-modified"],
  ["If-None-Match: another version", [ifNoneMatch('"v1"')], "proceed"],
  ["If-None-Match: an asterisk in quotes is a tag", [ifNoneMatch('"*"')], "proceed"],
  ["If-None-Match: malformed", [ifNoneMatch('"v2", v3')], "proceed"],
  ["If-None-Match: empty", [ifNoneMatch("")], "proceed"],

  ["If-Modified-Since: the same second", [ifModifiedSince(SAME)], "not-modified"],
  ["If-Modified-Since: later", [ifModifiedSince(AFTER)], "not-modified"],
  ["If-Modified-Since: earlier", [ifModifiedSince(BEFORE)], "proceed"],
  ["If-Modified-Since: no date is ignored", [ifModifiedSince("tomorrow")], "proceed"],

  ["If-Match hides a failing If-Unmodified-Since", [ifMatch('"v2"'), ifUnmodifiedSince(BEFORE)], "proceed"],
  ["If-Match fails whatever If-Unmodified-Since says", [ifUnmodifiedSince(AFTER), ifMatch('"v1"')], "failed"],
  ["If-None-Match hides If-Modified-Since", [ifNoneMatch('"v1"'), ifModifiedSince(SAME)], "proceed"],
  ["a malformed If-None-Match still hides it", [ifNoneMatch("v1"), ifModifiedSince(SAME)], "proceed"],
  [
    "If-None-Match holds whatever If-Modified-Since says",
    [ifModifiedSince(BEFORE), ifNoneMatch('"v2"')],
    "not-modified",
  ],
  ["failing comes before not modified", [ifNoneMatch('"v2"'), ifMatch('"v1"')], "failed"],
  ["both pairs: unchanged and held", [ifMatch('"v2"'), ifNoneMatch('"v2"')], "not-modified"],
  ["If-Unmodified-Since, then If-Modified-Since", [ifUnmodifiedSince(SAME), ifModifiedSince(SAME)], "not-modified"],
];
for (const [name, fields, want] of cases) {
  for (const method of ["GET", "HEAD"] as const) {
    test(`checkPreconditions: ${method}, ${name}`, () => {
      assert.equal(checkPreconditions(fakeRequestHead({ method, fields }), file, NOW), want);
    });
  }
}

const others: [name: string, method: Method, field: FieldLine, file: Validators, want: PreconditionResult][] = [
  ["If-None-Match fails a method that changes things", "PUT", ifNoneMatch("*"), file, "failed"],
  ["If-Modified-Since is for GET and HEAD", "PUT", ifModifiedSince(SAME), file, "proceed"],
  ["a weak tag never satisfies If-Match", "GET", ifMatch('W/"v2"'), youngFile, "failed"],
  ["a weak tag satisfies If-None-Match", "GET", ifNoneMatch('W/"v2"'), youngFile, "not-modified"],
  ["without validators, any: it exists", "GET", ifMatch("*"), {}, "proceed"],
  ["without validators, a tag is another", "GET", ifMatch('"v2"'), {}, "failed"],
  ["without validators, not any", "GET", ifNoneMatch("*"), {}, "not-modified"],
  ["without validators, not that tag", "GET", ifNoneMatch('"v2"'), {}, "proceed"],
  ["without validators, dates are ignored", "GET", ifUnmodifiedSince(BEFORE), {}, "proceed"],
];
for (const [name, method, field, validators, want] of others) {
  test(`checkPreconditions: ${name}`, () => {
    assert.equal(checkPreconditions(fakeRequestHead({ method, fields: [field] }), validators, NOW), want);
  });
}

const ifRange: [name: string, value: string | undefined, file: Validators, now: number, want: boolean][] = [
  ["absent", undefined, file, NOW, true],
  ["this version", '"v2"', file, NOW, true],
  ["another version", '"v1"', file, NOW, false],
  ["a weak tag", 'W/"v2"', file, NOW, false],
  ["a weak tag for a young file", 'W/"v2"', youngFile, NOW, false],
  ["a strong tag for a young file", '"v2"', youngFile, NOW, false],
  ["any is not allowed here", "*", file, NOW, false],
  ["a list is not allowed here", '"v2", "v2"', file, NOW, false],
  ["the very date", SAME, file, NOW, true],
  ["an earlier date", BEFORE, file, NOW, false],
  ["a later date is no match either", AFTER, file, NOW, false],
  ["the date of the second that still lasts", SAME, file, MODIFIED, false],
  ["malformed", "v2", file, NOW, false],
  ["empty", "", file, NOW, false],
  ["a date, of something without one", SAME, {}, NOW, false],
];
for (const [name, value, validators, now, want] of ifRange) {
  test(`isIfRangeSatisfied: ${name}`, () => {
    const head = fakeRequestHead({ fields: value === undefined ? [] : [["If-Range", value]] });
    assert.equal(isIfRangeSatisfied(head, validators, unixSeconds(now)), want);
  });
}
