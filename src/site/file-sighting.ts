/**
 * What was seen of a file when it was opened, and whether it is still so: how a cached file is known to be fresh without
 * opening it again.
 */
import { type BigIntStats, lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { type DocumentRoot, isAllowedPlace, pathBelow, type SymlinkRule } from "./document-root.ts";

/** Where a file was looked for, by which rule, and where it was. */
export interface FilePlace {
  /** The names from the root to the file, joined by slashes. */
  readonly relativePath: string;
  readonly symlinks: SymlinkRule;
  /** No part of it was a symbolic link; but with `anywhere` it is the place that was asked for. */
  readonly realPath: AbsolutePath;
}

export interface FileSighting extends FilePlace {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** As in fs.Stats: milliseconds with a fraction. */
  readonly modifiedMs: number;
  readonly changedMs: number;
}

/** @param stats  of the open descriptor, so that the sighting is of what was opened */
export function describeSighting(stats: BigIntStats, place: FilePlace): FileSighting {
  return {
    ...place,
    device: Number(stats.dev),
    inode: Number(stats.ino),
    size: Number(stats.size),
    modifiedMs: fractionalMilliseconds(stats.mtimeNs),
    changedMs: fractionalMilliseconds(stats.ctimeNs),
  };
}

/**
 * Whether the name still leads to the file that was seen, unchanged, and by a way the rule allows. 2.5 µs for its status;
 * where its directory really is takes 5 more, once in a turn for all files of that directory. Opening and proving anew
 * would cost 11.
 */
export function isStillCurrent(root: DocumentRoot, seen: FileSighting): boolean {
  const realRoot = root.realPath();
  if (realRoot === undefined) return false;
  const path = pathBelow(realRoot, seen.relativePath);
  try {
    const named = lstatSync(path, { throwIfNoEntry: false });
    if (named === undefined) return false;
    const isLink = named.isSymbolicLink();
    const now = isLink ? statSync(path, { throwIfNoEntry: false }) : named;
    if (now === undefined || !isUnchanged(now, seen)) return false;
    if (seen.symlinks === "anywhere") return true;
    const place = isLink ? realpathSync.native(path) : placeOf(root, path);
    return place === seen.realPath && isAllowedPlace(seen.symlinks, realRoot, path, place);
  } catch {
    // Whatever it was, the contained open that follows meets it too, and says so.
    return false;
  }
}

function isUnchanged(now: Stats, seen: FileSighting): boolean {
  return (
    now.ino === seen.inode &&
    now.mtimeMs === seen.modifiedMs &&
    now.ctimeMs === seen.changedMs &&
    now.size === seen.size &&
    now.dev === seen.device
  );
}

/** Of a file that is no link itself. */
function placeOf(root: DocumentRoot, path: AbsolutePath): string | undefined {
  const nameAt = path.lastIndexOf("/");
  const directory = root.realDirectory(path.slice(0, nameAt) || "/");
  return directory && (directory === "/" ? "" : directory) + path.slice(nameAt);
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
