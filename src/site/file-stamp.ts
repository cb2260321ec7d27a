/** What a file was when it was opened, and whether it is still the same: validates a cached file without opening it. */
import { type BigIntStats, lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { type AbsolutePath, isAllowedPlace, pathBelow, type SymlinkRule } from "../base/absolute-path.ts";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";

/** The part of stat(2) that detects changes. */
export interface FileStat {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Milliseconds with a fraction, before 1970 negative: as in fs.Stats. */
  readonly modifiedMs: number;
  readonly changedMs: number;
  readonly isLink: boolean;
}

/** stat(2), or with `nofollow` lstat(2). @returns undefined on any error; else an object valid until the next call */
export type StatFn = (path: AbsolutePath, lastLink: "follow" | "nofollow") => FileStat | undefined;

export interface FileLocation {
  readonly rootPath: AbsolutePath;
  /** The names from the root to the file, joined by slashes. */
  readonly relativePath: string;
  readonly symlinks: SymlinkRule;
  /** Without symbolic links; with `anywhere` the path that was asked for. */
  readonly realPath: AbsolutePath;
}

export interface FileStamp extends Omit<FileLocation, "rootPath">, Omit<FileStat, "isLink"> {
  /** Where to look for it again. */
  readonly path: AbsolutePath;
  /** Down to its directory and as many steps up again: see `StampedRoot.isRootItself`. */
  readonly pathBackToRoot: AbsolutePath;
}

/** The root of a stamped file, in the present turn of the event loop. */
export interface StampedRoot {
  readonly stat: StatFn;
  /** Undefined when it does not exist now. */
  realPath(): AbsolutePath | undefined;
  /**
   * Containment without realpath(3): `root/a/b/../..` is `root` only if `a/b` is really inside, whatever links lead
   * there, because `..` is the physical parent.
   */
  isRootItself(path: AbsolutePath): boolean;
}

/**
 * Written out field by field, as all objects that exist in thousands: V8 sometimes gives each copy by spread its own
 * shape, and reading 10,000 of those cost more than the stat.
 * @param stats  of the open descriptor, so that the stamp describes what was opened
 */
export function stampOf(stats: BigIntStats, { rootPath, relativePath, symlinks, realPath }: FileLocation): FileStamp {
  const names = relativePath.split("/");
  const directory = names.slice(0, -1);
  return {
    relativePath,
    symlinks,
    realPath,
    path: pathBelow(rootPath, relativePath),
    pathBackToRoot: pathBelow(rootPath, [...directory, ...directory.map(() => "..")].join("/")),
    device: Number(stats.dev),
    inode: Number(stats.ino),
    size: Number(stats.size),
    modifiedMs: fractionalMilliseconds(stats.mtimeNs),
    changedMs: fractionalMilliseconds(stats.ctimeNs),
  };
}

/**
 * Whether the name still leads to the same, unchanged file, by a way that the rule allows. Two stat calls, the second
 * shared by all files of a directory in a turn: 2.5 µs together through the C library. A new contained open costs 11.
 */
export function isStillCurrent(root: StampedRoot, seen: FileStamp): boolean {
  const now = root.stat(seen.path, "nofollow");
  if (now === undefined) return false;
  if (now.isLink || seen.symlinks === "never") return isStillInPlace(root, seen);
  return isUnchanged(now, seen) && (seen.symlinks === "anywhere" || root.isRootItself(seen.pathBackToRoot));
}

/** With links the real path decides. */
function isStillInPlace(root: StampedRoot, seen: FileStamp): boolean {
  const realRoot = root.realPath();
  if (realRoot === undefined) return false;
  const path = pathBelow(realRoot, seen.relativePath);
  const now = root.stat(path, "follow");
  if (now === undefined || !isUnchanged(now, seen)) return false;
  if (seen.symlinks === "anywhere") return true;
  try {
    const place = realpathSync.native(path);
    return place === seen.realPath && isAllowedPlace(seen.symlinks, realRoot, path, place);
  } catch {
    // The contained open that follows meets the same error and reports it.
    return false;
  }
}

function isUnchanged(now: FileStat, seen: FileStamp): boolean {
  return (
    now.inode === seen.inode &&
    now.modifiedMs === seen.modifiedMs &&
    now.changedMs === seen.changedMs &&
    now.size === seen.size &&
    now.device === seen.device
  );
}

/** Reproducible builds, Nix and some images set these to say that there is no time; earlier ones are no better. */
const LAST_NO_TIME = 1n;

/** The time of modification in whole seconds, rounded down; undefined for the times that mean "no time". */
export function lastModified(modifiedNs: bigint): UnixSeconds | undefined {
  const second = wholeSeconds(modifiedNs);
  return second <= LAST_NO_TIME ? undefined : unixSeconds(Number(second));
}

const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Rounded down, also before 1970. */
export function wholeSeconds(nanoseconds: bigint): bigint {
  const remainder = nanoseconds % NANOSECONDS_PER_SECOND;
  return (nanoseconds - remainder) / NANOSECONDS_PER_SECOND - (remainder < 0n ? 1n : 0n);
}

/** Exactly the floating-point number in fs.Stats: both are computed in the same steps. */
function fractionalMilliseconds(nanoseconds: bigint): number {
  const whole = wholeSeconds(nanoseconds);
  return Number(whole) * 1000 + Number(nanoseconds - whole * NANOSECONDS_PER_SECOND) / 1_000_000;
}

/** By Node's own functions, 2 to 2.5 µs: each call makes an object with dates. */
export const nodeStat: StatFn = (path, lastLink) => {
  try {
    const stats = (lastLink === "nofollow" ? lstatSync : statSync)(path, { throwIfNoEntry: false });
    return stats && describeStats(stats);
  } catch {
    return undefined;
  }
};

function describeStats(stats: Stats): FileStat {
  const { dev, ino, size, mtimeMs, ctimeMs } = stats;
  return { device: dev, inode: ino, size, modifiedMs: mtimeMs, changedMs: ctimeMs, isLink: stats.isSymbolicLink() };
}
