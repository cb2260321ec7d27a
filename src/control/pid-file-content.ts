/** What a PID file holds: a process number and a line feed, so that `kill $(cat FILE)` works. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";
import { describeSystemError } from "../observe/thrown.ts";

export type PidFileContent =
  | { readonly kind: "absent" }
  /** The machine stopped before the content reached the disk. */
  | { readonly kind: "empty"; readonly version: string }
  | PidEntry
  /** Not a file of ours: it holds something else. */
  | { readonly kind: "foreign" };

export interface PidEntry {
  readonly kind: "pid";
  readonly pid: number;
  readonly writtenAt: UnixMilliseconds;
  /** The user whose file it is. */
  readonly owner: number;
  readonly version: string;
}

/** @throws StartupError when there is a file that cannot be read */
export function readPidFile(path: AbsolutePath): PidFileContent {
  try {
    return readOnce(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { kind: "absent" };
    throw new StartupError(`cannot read PID file ${path}: ${describeSystemError(error)}`, { cause: error });
  }
}

/** Inode and mtime: a new file may get the inode of one that was just removed. */
export function formatVersion({ ino, mtimeNs }: BigIntStats): string {
  return `${ino}-${mtimeNs}`;
}

/** Of Linux: PID_MAX_LIMIT in proc_sys_kernel(5). */
const MAX_PID = 2 ** 22;

/** Reads text and facts from one descriptor, so both belong to the same file. */
function readOnce(path: AbsolutePath): PidFileContent {
  // O_NONBLOCK: do not wait for a writer of a FIFO.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    const version = formatVersion(stat);
    const text = readFileSync(descriptor, "latin1");
    if (text.trim() === "") return { kind: "empty", version };
    const pid = /^[1-9][0-9]{0,6}\s*$/.test(text) ? Number(text) : Infinity;
    if (pid > MAX_PID) return { kind: "foreign" };
    const writtenAt = unixMilliseconds(Number(stat.mtimeNs / 1_000_000n));
    return { kind: "pid", pid, writtenAt, owner: Number(stat.uid), version };
  } finally {
    closeSync(descriptor);
  }
}
