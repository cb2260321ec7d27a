/**
 * Where an open descriptor leads: the kernel says it, or, without /proc, the name it was opened by.
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readlinkSync, realpathSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";

/** How the real path of an open descriptor is found: asked of the kernel, or, without /proc, of the name it was opened by. */
export type DescriptorPaths = "proc" | "realpath";

const DELETED_MARK = " (deleted)";

/** To be asked once, after any chroot: /proc is often not there inside. */
export function probeDescriptorPaths(): DescriptorPaths {
  let descriptor: number | undefined;
  try {
    // A directory that even a sandbox leaves open: a process may look at itself.
    descriptor = openSync("/proc/self", constants.O_RDONLY | constants.O_DIRECTORY);
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    return path === realpathSync.native("/proc/self") ? "proc" : "realpath";
  } catch {
    return "realpath";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Of a file whose name is gone, the kernel gives the last name with a mark at its end; but that may also be a name. */
export function pathOfDescriptor(descriptor: number, stats: BigIntStats): string {
  const place = readlinkSync(`/proc/self/fd/${descriptor}`);
  if (!place.endsWith(DELETED_MARK) || isSameFile(place, stats)) return place;
  return place.slice(0, -DELETED_MARK.length);
}

/** @returns undefined when the name leads to another file by now */
export function pathOfName(path: AbsolutePath, stats: BigIntStats): string | undefined {
  const place = realpathSync.native(path);
  return isSameFile(place, stats) ? place : undefined;
}

function isSameFile(path: string, stats: BigIntStats): boolean {
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return found !== undefined && found.ino === stats.ino && found.dev === stats.dev;
  } catch {
    return false;
  }
}
