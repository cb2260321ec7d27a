import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unixSeconds } from "../../src/base/units.ts";
import { formatHttpDate, parseHttpDate } from "../../src/http/http-date.ts";

const at = (iso: string) => unixSeconds(Date.parse(iso) / 1000);
const NOW = at("2026-03-15T12:00:00Z");
const SAMPLE = at("1994-11-06T08:49:37Z");

const formatted: [name: string, moment: number, want: string][] = [
  ["the example of the RFC", SAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT"],
  ["the epoch", 0, "Thu, 01 Jan 1970 00:00:00 GMT"],
  ["before the epoch", -1, "Wed, 31 Dec 1969 23:59:59 GMT"],
  ["a year of two digits is filled up", at("0099-01-01T00:00:00Z"), "Thu, 01 Jan 0099 00:00:00 GMT"],
  ["later than can be said", 1e12, "Fri, 31 Dec 9999 23:59:59 GMT"],
  ["earlier than can be said", -1e12, "Sat, 01 Jan 0000 00:00:00 GMT"],
];
for (const [name, moment, want] of formatted) {
  test(`formatHttpDate: ${name}`, () => assert.equal(formatHttpDate(unixSeconds(moment)), want));
}

const parsed: [name: string, text: string, want: number | undefined][] = [
  ["IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", SAMPLE],
  ["RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", SAMPLE],
  ["asctime, day of one digit", "Sun Nov  6 08:49:37 1994", SAMPLE],
  ["asctime, day of two digits", "Wed Nov 16 08:49:37 1994", at("1994-11-16T08:49:37Z")],
  ["29 February of a leap year", "Thu, 29 Feb 2024 00:00:00 GMT", at("2024-02-29T00:00:00Z")],
  ["a year below 100 is itself", "Thu, 01 Jan 0099 00:00:00 GMT", at("0099-01-01T00:00:00Z")],
  ["leap second", "Sat, 31 Dec 2016 23:59:60 GMT", at("2017-01-01T00:00:00Z")],
  ["a weekday that is another", "Mon, 06 Nov 1994 08:49:37 GMT", SAMPLE],
  ["two digits, 50 years ahead", "Sunday, 15-Mar-76 12:00:00 GMT", at("2076-03-15T12:00:00Z")],
  ["two digits, a second more than 50 years ahead", "Monday, 15-Mar-76 12:00:01 GMT", at("1976-03-15T12:00:01Z")],
  ["two digits, a leap day of the past century", "Thursday, 29-Feb-96 00:00:00 GMT", at("1996-02-29T00:00:00Z")],
  ["29 February of another year", "Wed, 29 Feb 2023 00:00:00 GMT", undefined],
  ["29 February 1900", "Thu, 29 Feb 1900 00:00:00 GMT", undefined],
  ["31 April", "Sun, 31 Apr 2023 00:00:00 GMT", undefined],
  ["day 0", "Sun, 00 Nov 1994 08:49:37 GMT", undefined],
  ["hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", undefined],
  ["minute 60", "Sun, 06 Nov 1994 08:60:00 GMT", undefined],
  ["second 61", "Sun, 06 Nov 1994 08:49:61 GMT", undefined],
  ["no such month", "Sun, 06 Nev 1994 08:49:37 GMT", undefined],
  ["no such weekday", "Son, 06 Nov 1994 08:49:37 GMT", undefined],
  ["lower case", "sun, 06 nov 1994 08:49:37 gmt", undefined],
  ["UTC", "Sun, 06 Nov 1994 08:49:37 UTC", undefined],
  ["an offset", "Sun, 06 Nov 1994 08:49:37 +0000", undefined],
  ["no zone", "Sun, 06 Nov 1994 08:49:37", undefined],
  ["day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT", undefined],
  ["two blanks", "Sun,  06 Nov 1994 08:49:37 GMT", undefined],
  ["RFC 850 with four digits", "Sunday, 06-Nov-1994 08:49:37 GMT", undefined],
  ["RFC 850 with the short weekday", "Sun, 06-Nov-94 08:49:37 GMT", undefined],
  ["asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT", undefined],
  ["ISO 8601", "1994-11-06T08:49:37Z", undefined],
  ["a number", "784111777", undefined],
  ["two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", undefined],
  ["a blank before", " Sun, 06 Nov 1994 08:49:37 GMT", undefined],
  ["a line end after", "Sun, 06 Nov 1994 08:49:37 GMT\n", undefined],
  ["nothing", "", undefined],
];
for (const [name, text, want] of parsed) {
  test(`parseHttpDate: ${name}`, () => assert.equal(parseHttpDate(text, NOW), want));
}

test("parseHttpDate reads what formatHttpDate writes", () => {
  const moment = fc.integer({ min: at("0000-01-01T00:00:00Z"), max: at("9999-12-31T23:59:59Z") }).map(unixSeconds);
  fc.assert(fc.property(moment, (value) => parseHttpDate(formatHttpDate(value), NOW) === value));
});

test("parseHttpDate never throws", () => {
  const near = fc.tuple(fc.constant("Sun, 06 Nov 1994 08:49:37 GMT"), fc.nat(28), fc.string({ maxLength: 3 }));
  const texts = fc.oneof(
    fc.string(),
    near.map(([text, place, other]) => text.slice(0, place) + other + text.slice(place + 1)),
  );
  fc.assert(fc.property(texts, (text) => assert.doesNotThrow(() => parseHttpDate(text, NOW))));
});
