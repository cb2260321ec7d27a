/**
 * Dates in header fields (RFC 9110 §5.6.7): written in one form, read in three, always GMT. The weekday must be a valid
 * name, but need not match the date.
 */
import { type UnixSeconds, unixSeconds } from "../base/units.ts";

// The range of a year of four digits. A file system may hold a date outside it.
const YEAR_0000 = -62_167_219_200;
const END_OF_YEAR_9999 = 253_402_300_799;

/** How far ahead a two-digit year may be before it means the past century. */
const MAX_YEARS_AHEAD = 50;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const IMF_FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/;
const RFC_850_DATE =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/;
const ASCTIME_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>\d\d| \d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/;

/** `Sun, 06 Nov 1994 08:49:37 GMT`. A moment outside the years 0000 to 9999 becomes the nearest inside. */
export function formatHttpDate(moment: UnixSeconds): string {
  const sayable = Math.min(Math.max(moment, YEAR_0000), END_OF_YEAR_9999);
  return new Date(sayable * 1000).toUTCString();
}

/**
 * Reads exactly the three forms of RFC 9110 §5.6.7.
 * @param now  decides the century of a two-digit year
 * @returns undefined for anything else, and for a day or time that does not exist. Second 60 is the second after 59.
 */
export function parseHttpDate(text: string, now: UnixSeconds): UnixSeconds | undefined {
  const match = IMF_FIXDATE.exec(text) ?? RFC_850_DATE.exec(text) ?? ASCTIME_DATE.exec(text);
  if (match?.groups === undefined) return undefined;

  const { day = "", month = "", year = "", time = "" } = match.groups;
  const momentIn = (fullYear: number) => momentOf(fullYear, MONTHS.indexOf(month), Number(day), time);
  if (year.length === 4) return momentIn(Number(year));

  const fullYear = yearOf(now) - (yearOf(now) % 100) + Number(year);
  const moment = momentIn(fullYear);
  return moment !== undefined && moment > yearsAfter(now, MAX_YEARS_AHEAD) ? momentIn(fullYear - 100) : moment;
}

function momentOf(year: number, month: number, day: number, time: string): UnixSeconds | undefined {
  if (month < 0) return undefined;
  // Not Date.UTC: it reads the years 0 to 99 as 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCDate() !== day) return undefined; // 31 April has become 1 May

  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return unixSeconds(date.getTime() / 1000 + hours * 3600 + minutes * 60 + seconds);
}

function yearOf(moment: UnixSeconds): number {
  return new Date(moment * 1000).getUTCFullYear();
}

function yearsAfter(moment: UnixSeconds, years: number): UnixSeconds {
  const date = new Date(moment * 1000);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return unixSeconds(date.getTime() / 1000);
}
