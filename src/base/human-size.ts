/**
 * Sizes in words: short for a column of a table, and exact.
 */
import type { Bytes } from "./units.ts";

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const STEP = 1024;
const THOUSANDS = /\B(?=(?:[0-9]{3})+$)/g;

/** At most four digits with a binary unit: `512 B`, `1.4 KiB`, `23 MiB`, `1000 GiB`. One decimal below ten. */
export function formatHumanSize(size: Bytes): string {
  if (size < STEP) return `${size} B`;
  let amount = size / STEP;
  let unit = 0;
  // Compared as it will be rounded, so that nothing is ever "1024 KiB".
  while (Math.round(amount) >= STEP && unit < UNITS.length - 1) {
    amount /= STEP;
    unit++;
  }
  const tenths = amount.toFixed(1);
  return `${tenths.length > 3 ? Math.round(amount) : tenths} ${UNITS[unit]}`;
}

/** `1,234,567 bytes`. */
export function formatExactSize(size: Bytes): string {
  return `${formatCount(size)} ${size === 1 ? "byte" : "bytes"}`;
}

/** A whole number with its thousands set apart: `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replace(THOUSANDS, ",");
}
