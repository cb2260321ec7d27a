/** Offsets of local time, against a table and against date(1), which asks the C library. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseZoneFile, parseZoneRule } from "../../src/base/time-zone.ts";
import { unixSeconds } from "../../src/base/units.ts";

const HOUR = 3600;
const at = (iso: string) => unixSeconds(Date.parse(iso) / 1000);

const BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3";
const rules: [name: string, rule: string, moment: string, hours: number | undefined][] = [
  ["no summer time", "<+03>-3", "2024-07-01T00:00:00Z", 3],
  ["a name of letters", "EST5", "2024-07-01T00:00:00Z", -5],
  ["hours, minutes and seconds", "ABC-1:30:36", "2024-07-01T00:00:00Z", 1.51],
  ["UTC", "UTC0", "2024-07-01T00:00:00Z", 0],
  ["winter", BERLIN, "2024-03-31T00:59:59Z", 1],
  ["the first second of summer", BERLIN, "2024-03-31T01:00:00Z", 2],
  ["the last second of summer", BERLIN, "2024-10-27T00:59:59Z", 2],
  ["winter again", BERLIN, "2024-10-27T01:00:00Z", 1],
  ["south of the equator, new year", "AEST-10AEDT,M10.1.0,M4.1.0/3", "2023-12-31T13:30:00Z", 11],
  ["south of the equator, winter", "AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-07-01T00:00:00Z", 10],
  ["summer time behind standard time", "IST-1GMT0,M10.5.0,M3.5.0/1", "2024-01-01T00:00:00Z", 0],
  ["dates before midnight", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T00:59:59Z", -2],
  ["dates before midnight, after it", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T01:00:00Z", -1],
  ["days of the year without 29 February", "AAA0BBB,J60/0,J61/0", "2024-03-01T12:00:00Z", 1],
  ["days of the year with 29 February", "AAA0BBB,59/0,60/0", "2024-02-29T12:00:00Z", 1],
  ["summer time all year", "EST5EDT,0/0,J365/25", "2024-01-01T05:00:00Z", -4],
  ["without dates: those of the United States", "EST5EDT", "2024-07-01T00:00:00Z", -4],
  ["a name without an offset", "Berlin", "2024-01-01T00:00:00Z", undefined],
  ["an offset without a name", "+03", "2024-01-01T00:00:00Z", undefined],
  ["one date of two", "CET-1CEST,M3.5.0", "2024-01-01T00:00:00Z", undefined],
  ["a month that does not exist", "CET-1CEST,M13.5.0,M10.5.0", "2024-01-01T00:00:00Z", undefined],
  ["a day that does not exist", "CET-1CEST,J366,J1", "2024-01-01T00:00:00Z", undefined],
  ["text behind it", `${BERLIN} `, "2024-01-01T00:00:00Z", undefined],
];
for (const [name, rule, moment, hours] of rules) {
  test(`parseZoneRule: ${name}`, () => {
    const offset = parseZoneRule(rule)?.(at(moment));
    assert.equal(offset, hours === undefined ? undefined : hours * HOUR);
  });
}

const ZONES = "/usr/share/zoneinfo";
const withoutZones = existsSync(`${ZONES}/Europe/Berlin`) ? false : `there is no ${ZONES}`;

/** What date(1) prints for each moment in that zone, such as `+0530`. */
function askDate(zone: string, moments: readonly number[]): readonly string[] {
  const input = moments.map((moment) => `@${moment}\n`).join("");
  const text = execFileSync("date", ["-f", "-", "+%z"], { input, env: { ...process.env, TZ: zone, LC_ALL: "C" } });
  return text.toString().trim().split("\n");
}

function formatOffset(offset: number | undefined): string {
  if (offset === undefined) return "no zone";
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const digits = [Math.floor(minutes / 60), minutes % 60].map((number) => String(number).padStart(2, "0"));
  return `${offset < 0 ? "-" : "+"}${digits.join("")}`;
}

const FIRST = Date.UTC(1980, 0, 1) / 1000;
const LAST = Date.UTC(2090, 0, 1) / 1000;

/** The years in steps that meet each hour and each season. */
const MOMENTS = Array.from({ length: 1500 }, (_, index) => FIRST + Math.floor((index * (LAST - FIRST)) / 1500) + index);

const zones = [
  ...["Europe/Berlin", "Europe/Dublin", "America/St_Johns", "America/Nuuk", "Australia/Lord_Howe"],
  ...["Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia", "Etc/GMT+5", "UTC"],
];
for (const zone of zones) {
  test(`parseZoneFile: ${zone} is as date(1) has it`, { skip: withoutZones }, () => {
    const offsetAt = parseZoneFile(readFileSync(`${ZONES}/${zone}`));
    assert.deepEqual(
      MOMENTS.map((moment) => formatOffset(offsetAt?.(unixSeconds(moment)))),
      askDate(zone, MOMENTS),
    );
  });
}

for (const rule of [BERLIN, "<+0330>-3:30", "AEST-10AEDT,M10.1.0,M4.1.0/3", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"]) {
  test(`parseZoneRule: ${rule} is as date(1) has it`, () => {
    const offsetAt = parseZoneRule(rule);
    assert.deepEqual(
      MOMENTS.map((moment) => formatOffset(offsetAt?.(unixSeconds(moment)))),
      askDate(rule, MOMENTS),
    );
  });
}

test("parseZoneFile: a file that is cut anywhere, or is another, is none", { skip: withoutZones }, () => {
  const file = readFileSync(`${ZONES}/Europe/Berlin`);
  for (let end = 0; end < file.length; end += 1)
    assert.equal(parseZoneFile(file.subarray(0, end)), undefined, `${end}`);
  assert.equal(parseZoneFile(Buffer.from("root:x:0:0::/root:/bin/sh\n".repeat(9))), undefined);
});
