/**
 * The names of uploads: that of a stored one, by which it is found, and that of one that is still arriving, which is
 * neither served nor listed, and tells after a crash whose litter it is.
 */
import type { UnixMilliseconds } from "./units.ts";

const STORED = /^upload_\d{8}_\d{6}_[0-9a-f]+\.json$/;
const TEMPORARY = /^\.upload-([1-9]\d*)-[0-9a-f]+\.part$/;

/**
 * `upload_20240315_123456_a7b9.json`: the local time in whole seconds.
 *
 * @param suffix  hexadecimal: distinguishes the uploads of one second
 */
export function formatUploadName(receivedAt: UnixMilliseconds, suffix: string): string {
  const time = new Date(receivedAt);
  const date = `${digits(time.getFullYear(), 4)}${digits(time.getMonth() + 1)}${digits(time.getDate())}`;
  const clock = `${digits(time.getHours())}${digits(time.getMinutes())}${digits(time.getSeconds())}`;
  return `upload_${date}_${clock}_${suffix}.json`;
}

export function isUploadName(name: string): boolean {
  return STORED.test(name);
}

/** `.upload-PID-RANDOM.part`. @param random  hexadecimal, too long to guess */
export function formatTemporaryName(pid: number, random: string): string {
  return `.upload-${pid}-${random}.part`;
}

/** The process that made a temporary name; undefined for every other name. */
export function parseTemporaryName(name: string): { readonly pid: number } | undefined {
  const [, pid] = TEMPORARY.exec(name) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid) };
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name);
}

function digits(value: number, count = 2): string {
  return String(value).padStart(count, "0");
}
