/**
 * How far local time is ahead of UTC: from a compiled zone (TZif, RFC 9636) or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`
 * (POSIX.1-2024 §8.3, the variable TZ). The C library reads both. Leap seconds are ignored: Unix time has none.
 */
import type { UnixSeconds } from "./units.ts";

/** Seconds that local time is ahead of UTC at that moment. */
export type OffsetAt = (moment: UnixSeconds) => number;

export const UTC: OffsetAt = () => 0;

/** @returns undefined for any other text. A rule without dates has those of the United States, as in the C library */
export function parseZoneRule(text: string): OffsetAt | undefined {
  const [, standardWest, hasSummer, summerWest, ...dates] = ZONE_RULE.exec(text) ?? [];
  if (standardWest === undefined) return undefined;
  const standard = 0 - parseTime(standardWest);
  if (hasSummer === undefined) return () => standard;
  const summer = summerWest === undefined ? standard + HOUR : 0 - parseTime(summerWest);
  const [startDay = "M3.2.0", startTime = "2", endDay = "M11.1.0", endTime = "2"] = dates;
  const [start, end] = [parseDay(startDay), parseDay(endDay)];
  if (start === undefined || end === undefined) return undefined;
  return (moment) => {
    const year = new Date((moment + standard) * 1000).getUTCFullYear();
    const begins = start(year) + parseTime(startTime) - standard;
    const ends = end(year) + parseTime(endTime) - summer;
    // South of the equator summer lasts over the new year.
    const isSummer = begins < ends ? begins <= moment && moment < ends : begins <= moment || moment < ends;
    return isSummer ? summer : standard;
  };
}

/** @returns undefined for anything but a whole file of this format */
export function parseZoneFile(file: Uint8Array): OffsetAt | undefined {
  try {
    const first = readBlock(file, 0, 4);
    if (file[VERSION_AT] === 0) return findIn(first, undefined);
    // Since version 2 a block with times of 64 bits follows, and a rule for the time after the last of them.
    const second = readBlock(file, first.end, 8);
    const [, rule] = /^\n([^\n]*)\n/.exec(decodeAscii(file.subarray(second.end))) ?? [];
    return rule === undefined ? undefined : findIn(second, parseZoneRule(rule));
  } catch (error) {
    // DataView's, beyond the end of the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const HOUR = 3600;
const DAY = 24 * HOUR;

const NAME = "(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)";
const TIME = "[+-]?\\d{1,3}(?::\\d{1,2}){0,2}";
const DATE = `([JM\\d.]+)(?:/(${TIME}))?`;
/** Offsets count to the west. Summer time has a name, perhaps an offset, and perhaps the dates of its start and end. */
const ZONE_RULE = new RegExp(`^${NAME}(${TIME})(?:(${NAME})(${TIME})?(?:,${DATE},${DATE})?)?$`);

/** @param text  hours, minutes and seconds, of which the last may be absent */
function parseTime(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, "").split(":").map(Number);
  return (text.startsWith("-") ? -1 : 1) * (hours * HOUR + minutes * 60 + seconds);
}

/** The day of a rule as the seconds from 1970 to its midnight, in a given year. */
type DayOf = (year: number) => number;

function parseDay(text: string): DayOf | undefined {
  const [, month, week, weekday] = /^M(1[0-2]|[1-9])\.([1-5])\.([0-6])$/.exec(text) ?? [];
  if (month !== undefined) return (year) => weekdayOf(year, Number(month), Number(week), Number(weekday));
  const [, kind, number] = /^(J?)(\d{1,3})$/.exec(text) ?? [];
  const day = Number(number);
  // With J the days count from 1, and 29 February is never counted. Without, they count from 0.
  if (kind === "J" && day >= 1 && day <= 365) {
    return (year) => dayOf(year, 0, day + (isLeap(year) && day > LAST_OF_FEBRUARY ? 1 : 0));
  }
  return kind === "" && day <= 365 ? (year) => dayOf(year, 0, day + 1) : undefined;
}

const LAST_OF_FEBRUARY = 59;

/** @param week  5 for the last such weekday of the month */
function weekdayOf(year: number, month: number, week: number, weekday: number): number {
  const first = dayOf(year, month - 1, 1);
  const until = (weekday - new Date(first * 1000).getUTCDay() + 7) % 7;
  const found = first + (until + (week - 1) * 7) * DAY;
  return found < dayOf(year, month, 1) ? found : found - 7 * DAY;
}

/** @param month  from 0; day and month may be beyond their end, and count on */
function dayOf(year: number, month: number, day: number): number {
  return Date.UTC(year, month, day) / 1000;
}

function isLeap(year: number): boolean {
  return new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
}

const VERSION_AT = 4;
const COUNTS_AT = 20;
const HEAD_BYTES = 44;
const TYPE_BYTES = 6;

/** From `times[i]` on, `offsets[i]` is the offset; before the first of them, `before` is. */
interface Block {
  readonly times: readonly number[];
  readonly offsets: readonly number[];
  readonly before: number;
  /** Where the next part of the file begins. */
  readonly end: number;
}

/** @throws RangeError for a file of another format, or a file that is cut */
function readBlock(file: Uint8Array, start: number, timeBytes: 4 | 8): Block {
  if (decodeAscii(file.subarray(start, start + VERSION_AT)) !== "TZif") throw new RangeError("not a TZif file");
  const view = new DataView(file.buffer, file.byteOffset + start, file.byteLength - start);
  const [utcs = 0, standards = 0, leaps = 0, timeCount = 0, typeCount = 0, chars = 0] = Array.from(
    { length: 6 },
    (_, index) => view.getUint32(COUNTS_AT + 4 * index),
  );
  const typesAt = HEAD_BYTES + timeCount * timeBytes;
  const offsetsAt = typesAt + timeCount;
  const end = offsetsAt + typeCount * TYPE_BYTES + chars + leaps * (timeBytes + 4) + standards + utcs;
  if (end > view.byteLength) throw new RangeError("the file is cut");
  const offsetOf = (type: number): number => {
    if (type >= typeCount) throw new RangeError("no such type");
    return view.getInt32(offsetsAt + type * TYPE_BYTES);
  };
  const readTime = (at: number): number => (timeBytes === 8 ? Number(view.getBigInt64(at)) : view.getInt32(at));
  const places = Array.from({ length: timeCount }, (_, index) => index);
  return {
    times: places.map((index) => readTime(HEAD_BYTES + index * timeBytes)),
    offsets: places.map((index) => offsetOf(view.getUint8(typesAt + index))),
    before: offsetOf(0),
    end: start + end,
  };
}

/** @param later  the rule after the last time of the block, where there is one */
function findIn({ times, offsets, before }: Block, later: OffsetAt | undefined): OffsetAt {
  return (moment) => {
    const place = times.findLastIndex((time) => time <= moment);
    if (later !== undefined && place === times.length - 1) return later(moment);
    return offsets[place] ?? before;
  };
}

function decodeAscii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
