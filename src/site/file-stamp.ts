/**
 * What a file was when it was opened, and whether it is still the same: how a cached file is known to be fresh without
 * opening it again.
 */
import { type BigIntStats, lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { type AbsolutePath, isAllowedPlace, pathBelow, type SymlinkRule } from "../base/absolute-path.ts";

/** As much of a stat(2) as tells whether a file is still the same. */
export interface FileStat {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Milliseconds with a fraction, before 1970 negative: as in fs.Stats. */
  readonly modifiedMs: number;
  readonly changedMs: number;
  readonly isLink: boolean;
}

/**
 * stat(2), or with `nofollow` lstat(2).
 *
 * @returns undefined when it fails, whatever the reason; otherwise an object that is valid until the next call
 */
export type StatFn = (path: AbsolutePath, lastLink: "follow" | "nofollow") => FileStat | undefined;

/** Where a file was looked for, by which rule, and where it was. */
export interface FileLocation {
  readonly rootPath: AbsolutePath;
  /** The names from the root to the file, joined by slashes. */
  readonly relativePath: string;
  readonly symlinks: SymlinkRule;
  /** No part of it was a symbolic link; but with `anywhere` it is the place that was asked for. */
  readonly realPath: AbsolutePath;
}

export interface FileStamp extends Omit<FileLocation, "rootPath">, Omit<FileStat, "isLink"> {
  /** Where it is looked for again. */
  readonly path: AbsolutePath;
  /** Down to its directory and as many steps up again: see `StampedRoot.isRootItself`. */
  readonly pathBackToRoot: AbsolutePath;
}

/** The root below which a stamped file lies, in the present turn of the event loop. */
export interface StampedRoot {
  readonly stat: StatFn;
  /** Undefined when there is none now. */
  realPath(): AbsolutePath | undefined;
  /**
   * Containment without realpath(3): `root/a/b/../..` is `root` only if `a/b` really lies inside, whatever links led
   * there, because `..` is the physical parent.
   */
  isRootItself(path: AbsolutePath): boolean;
}

/**
 * Written out field by field, as all objects of which there are thousands: V8 gives each copy by spread a shape of its own
 * now and then, and a look at 10,000 of those cost more than the look at the disk.
 *
 * @param stats  of the open descriptor, so that the stamp is of what was opened
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
 * Whether the name still leads to the file that was seen, unchanged, and by a way the rule allows.
 *
 * Two calls of stat, the second shared by all files of a directory in a turn: 2.5 µs together through the C library.
 * Opening and checking again would cost 11.
 */
export function isStillCurrent(root: StampedRoot, seen: FileStamp): boolean {
  const now = root.stat(seen.path, "nofollow");
  if (now === undefined) return false;
  if (now.isLink || seen.symlinks === "never") return isStillInPlace(root, seen);
  return isUnchanged(now, seen) && (seen.symlinks === "anywhere" || root.isRootItself(seen.pathBackToRoot));
}

/** The same where links are in question: the real path decides. */
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
    // Whatever it was, the contained open that follows meets it too, and says so.
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

const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Rounded down, also before 1970. */
export function wholeSeconds(nanoseconds: bigint): bigint {
  const remainder = nanoseconds % NANOSECONDS_PER_SECOND;
  return (nanoseconds - remainder) / NANOSECONDS_PER_SECOND - (remainder < 0n ? 1n : 0n);
}

/** The same floating-point number that fs.Stats has for this moment, to the last bit: both are computed in the same steps. */
function fractionalMilliseconds(nanoseconds: bigint): number {
  const whole = wholeSeconds(nanoseconds);
  return Number(whole) * 1000 + Number(nanoseconds - whole * NANOSECONDS_PER_SECOND) / 1_000_000;
}

/** By Node's own functions, 2 to 2.5 µs: each call makes an object, and dates in it. */
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
