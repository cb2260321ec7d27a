/** Log times in local time. Frequent formatting is cached for each second (`cachePerSecond`). */
import { type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `10/Oct/2000:13:55:36 -0700`. `offset` is minutes east of Greenwich. */
export function formatCommonTime(moment: UnixMilliseconds, offset: number): string {
  const local = shift(moment, offset);
  const sign = offset < 0 ? "-" : "+";
  const zone = pad(Math.floor(Math.abs(offset) / 60)) + pad(Math.abs(offset) % 60);
  const date = `${pad(local.getUTCDate())}/${MONTHS[local.getUTCMonth()]}/${local.getUTCFullYear()}`;
  return `${date}:${formatClock(local)} ${sign}${zone}`;
}

/** `2024-03-15 10:30:00`. `offset` is minutes east of Greenwich. */
export function formatConsoleTime(moment: UnixMilliseconds, offset: number): string {
  const local = shift(moment, offset);
  return `${local.getUTCFullYear()}-${pad(local.getUTCMonth() + 1)}-${pad(local.getUTCDate())} ${formatClock(local)}`;
}

/** Formats the beginning of the second, and only when the second has changed. */
export function cachePerSecond(format: (moment: UnixMilliseconds) => string): (moment: UnixMilliseconds) => string {
  let second = Number.NaN;
  let text = "";
  return (moment) => {
    const wanted = Math.floor(moment / 1000);
    if (wanted !== second) {
      text = format(unixMilliseconds(wanted * 1000));
      second = wanted;
    }
    return text;
  };
}

/** A date whose UTC parts are the local ones. */
function shift(moment: UnixMilliseconds, offset: number): Date {
  return new Date(moment + offset * 60_000);
}

function formatClock(local: Date): string {
  return `${pad(local.getUTCHours())}:${pad(local.getUTCMinutes())}:${pad(local.getUTCSeconds())}`;
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}
