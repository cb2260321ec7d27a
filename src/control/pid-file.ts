/**
 * The PID file names the process that serves, and locks out a second server that is started by mistake.
 *
 * It holds only the number and a line feed, so that `kill $(cat FILE)` works. It appears whole: written under another
 * name, then linked to its own, which fails when that exists.
 *
 * After a crash another process may get the number. So the holder is gone when no such process exists, or when it
 * started after the file was written and is no Comanche. The second condition is for machines without a clock battery:
 * once their clock is set, every process seems younger than its files. A wrong guess says "running": the operator then
 * removes the file. It never leads to a signal to a foreign process that is not node.
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt, errorCode, StartupError } from "../base/errors.ts";
import { type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { inspectProcess, type ProcessState } from "./process-info.ts";
import { runtimeDirectory, stateDirectory, type UserFacts } from "./user-directories.ts";

export type PidFileContent =
  | { readonly kind: "absent" }
  /** The machine stopped before the content reached the disk. */
  | { readonly kind: "empty"; readonly version: string }
  | { readonly kind: "pid"; readonly pid: number; readonly writtenAt: UnixMilliseconds; readonly version: string }
  /** Not a file of ours: it holds something else. */
  | { readonly kind: "foreign" };

/** The process that asks whether the holder of a PID file still runs. */
export interface Asker {
  readonly pid: number;
  readonly command: string | undefined;
}

export interface PidFilePath {
  readonly path: AbsolutePath;
  /** The folder is created on demand. */
  readonly isInStateDirectory: boolean;
}

/** Best place first: the setting; for root /run; else the user's runtime directory, then the state directory. */
export function pidFilePaths(setting: AbsolutePath | undefined, user: UserFacts): readonly PidFilePath[] {
  if (setting !== undefined) return [{ path: setting, isInStateDirectory: false }];
  if (user.isRoot) return [{ path: absolutePath("/run/comanche.pid"), isInStateDirectory: false }];
  const runtime = runtimeDirectory(user);
  const state = { path: absolutePath(join(stateDirectory(user), FILE_NAME)), isInStateDirectory: true };
  if (runtime === undefined) return [state];
  return [{ path: absolutePath(join(runtime, FILE_NAME)), isInStateDirectory: false }, state];
}

/** @param asker  a file with the asker's own PID was left by an earlier process: PIDs repeat in containers */
export function judgeHolder(
  file: { readonly pid: number; readonly writtenAt: UnixMilliseconds },
  look: ProcessState,
  asker: Asker,
): "running" | "gone" {
  if (look.kind === "gone" || file.pid === asker.pid) return "gone";
  if (look.info === undefined) return "running";
  if (look.info.startedAt <= file.writtenAt + START_TOLERANCE_MS) return "running";
  const { command } = look.info;
  return command === asker.command || command.startsWith("comanche") ? "running" : "gone";
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

/** The PID in the file, if that process still runs and wrote it. */
export function findHolder(content: PidFileContent): number | undefined {
  if (content.kind !== "pid") return undefined;
  const judged = judgeHolder(content, inspectProcess(content.pid), lookAtSelf());
  return judged === "running" ? content.pid : undefined;
}

/** Held from `acquirePidFile` until `release`. */
export interface PidFile {
  readonly path: AbsolutePath;
  /** Removes the file if it is still ours. After a change of user that may fail; the next start takes the file over. */
  release(): void;
}

/** Takes the first place whose folder is writable. @throws StartupError if another server runs or the write fails */
export function acquirePidFile(places: readonly PidFilePath[]): PidFile {
  const path = choosePath(places);
  const temporary = absolutePath(`${path}.${randomBytes(6).toString("hex")}`);
  try {
    writeFileSync(temporary, `${process.pid}\n`, { flag: "wx", mode: 0o644 });
    putInPlace(temporary, path);
    const version = readVersion(path);
    return {
      path,
      release: () => {
        if (readVersion(path) === version) removeIfPossible(path);
      },
    };
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const why = describeSystemError(error);
    throw new StartupError(`cannot write PID file ${path}: ${why}: set pidfile to a file that this user may write`, {
      cause: error,
    });
  } finally {
    removeIfPossible(temporary);
  }
}

const FILE_NAME = "comanche.pid";
// /proc counts from a boot time in whole seconds.
const START_TOLERANCE_MS = 2000;
const MAX_TRIES = 100;

/**
 * Links the temporary file to `path`. Only the starter that holds the turn may replace a dead server's file. The turn
 * is a lock file of the same kind, named after the version to be replaced, so no starter removes a newer file. The turn
 * of a starter that died is taken over in the same way.
 */
function putInPlace(temporary: AbsolutePath, path: AbsolutePath): void {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    if (tryLink(temporary, path)) return;
    const content = readPidFile(path);
    if (content.kind === "absent") continue;
    if (content.kind === "foreign") throw new StartupError(`${path} is not a PID file: set pidfile to another path`);
    const holder = findHolder(content);
    if (holder !== undefined) {
      const help = "stop it first, or give this server a pidfile of its own";
      throw new StartupError(`already running with PID ${holder} (PID file ${path}): ${help}`);
    }
    const turn = absolutePath(`${path}.${content.version}`);
    putInPlace(temporary, turn);
    if (readVersion(path) === content.version) {
      // One step puts our PID in place and ends the turn.
      renameSync(turn, path);
      return;
    }
    removeIfPossible(turn);
  }
  throw new StartupError(`PID file ${path} keeps changing: another program writes it`);
}

/** Reads text and version from one descriptor, so both belong to the same file. */
function readOnce(path: AbsolutePath): PidFileContent {
  // O_NONBLOCK: do not wait for a writer of a FIFO.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    const version = formatVersion(stat);
    const text = readFileSync(descriptor, "latin1");
    if (text.trim() === "") return { kind: "empty", version };
    if (!/^[1-9][0-9]{0,9}\s*$/.test(text)) return { kind: "foreign" };
    return { kind: "pid", pid: Number(text), writtenAt: unixMilliseconds(Number(stat.mtimeNs / 1_000_000n)), version };
  } finally {
    closeSync(descriptor);
  }
}

/** Inode and mtime: a new file may get the inode of one that was just removed. */
function readVersion(path: AbsolutePath): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : formatVersion(stat);
}

function formatVersion({ ino, mtimeNs }: BigIntStats): string {
  return `${ino}-${mtimeNs}`;
}

function tryLink(from: AbsolutePath, to: AbsolutePath): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

function choosePath(places: readonly PidFilePath[]): AbsolutePath {
  const [first, ...others] = places;
  if (first === undefined) throw new Error("no place for the PID file");
  if (others.length > 0 && !isWritableFolder(dirname(first.path))) return choosePath(others);
  // If mkdir fails, writing the file fails too and says why.
  if (first.isInStateDirectory) attempt(() => mkdirSync(dirname(first.path), { recursive: true, mode: 0o700 }));
  return first.path;
}

function isWritableFolder(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A file that stays is stale: the next reader sees that by its PID. */
export function removeIfPossible(path: AbsolutePath): void {
  attempt(() => rmSync(path, { force: true }));
}

function lookAtSelf(): Asker {
  const look = inspectProcess(process.pid);
  return { pid: process.pid, command: look.kind === "alive" ? look.info?.command : undefined };
}
