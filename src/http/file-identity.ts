/** What of stat(2) tells one version of a file from another, and from when on that can be trusted. Pure. */
import { type Bytes, type Milliseconds, milliseconds, type UnixMilliseconds } from "../base/units.ts";

export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: Bytes;
  /** May be set to any value, for example by touch(1) and tar(1). */
  readonly modifiedNs: bigint;
  /** Of the last change of content, size or properties, by the clock of the file system alone. */
  readonly changedNs: bigint;
}

export type FileTimes = Pick<FileIdentity, "modifiedNs" | "changedNs">;

/**
 * Two changes within this time may leave the same times: the kernel's clock for files advances once a tick, at most
 * 10 ms (HZ=100). Doubled, because a network file system's clock is not quite ours.
 */
const FINE_STEP: Milliseconds = milliseconds(20);
/** The same where times are whole seconds: vfat has steps of two seconds, ext3 with small inodes and HFS+ of one. */
const COARSE_STEP: Milliseconds = milliseconds(2000);

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MILLISECOND = 1_000_000n;

/**
 * Whether each later change of the file leaves other times than these. Until then equal times prove nothing.
 * @param now  from before the times were taken
 */
export function isSettled({ modifiedNs, changedNs }: FileTimes, now: UnixMilliseconds): boolean {
  const isCoarse = modifiedNs % NS_PER_SECOND === 0n && changedNs % NS_PER_SECOND === 0n;
  const step = isCoarse ? COARSE_STEP : FINE_STEP;
  return isAwayFrom(now, modifiedNs, step) && isAwayFrom(now, changedNs, step);
}

/** `isSettled` for those who look only at the whole seconds of the time of modification. */
export function isSecondSettled({ modifiedNs }: FileTimes, now: UnixMilliseconds): boolean {
  return isAwayFrom(now, modifiedNs, COARSE_STEP);
}

/** Whether the file was changed at most `time` ago. */
export function wasChangedWithin({ changedNs }: FileTimes, time: Milliseconds, now: UnixMilliseconds): boolean {
  return !isAwayFrom(now, changedNs, time);
}

/** A time further in the future was set by hand, and is as reliable as one in the past. */
function isAwayFrom(now: UnixMilliseconds, timeNs: bigint, step: Milliseconds): boolean {
  return Math.abs(now - Number(timeNs / NS_PER_MILLISECOND)) > step;
}
