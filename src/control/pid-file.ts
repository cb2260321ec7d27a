/**
 * The PID file names the process that serves, and locks out a second server that is started by mistake.
 *
 * It appears whole: written under another name, then linked to its own, which fails when that exists. Another server's
 * file is replaced once its process is gone or proven to be another program (`holder.ts`). When in doubt the start fails,
 * and the operator removes the file.
 *
 * There is one usual place: `comanche/comanche.pid` in the runtime directory, which is `%t` in a unit of systemd.
 */
import { randomBytes } from "node:crypto";
import { accessSync, constants, linkSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt, errorCode, StartupError, unreachable } from "../base/errors.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { findHolder, type Holder } from "./holder.ts";
import { formatVersion, readPidFile } from "./pid-file-content.ts";
import { runtimeDirectory, serviceDirectory, stateDirectory, type UserFacts } from "./user-directories.ts";

export interface PidFilePath {
  readonly path: AbsolutePath;
  /** Mode of its folder, which is created on demand; undefined for a folder that must exist. */
  readonly folderMode: number | undefined;
}

/**
 * Where a server puts its PID file, best place first: the setting; the runtime directory that a service manager made for
 * it; for root /run/comanche; else the user's runtime directory, then the state directory.
 */
export function pidFilePaths(setting: AbsolutePath | undefined, user: UserFacts): readonly PidFilePath[] {
  if (setting !== undefined) return [{ path: setting, folderMode: undefined }];
  const service = serviceDirectory(user);
  if (service !== undefined) return [{ path: absolutePath(join(service, FILE_NAME)), folderMode: undefined }];
  if (user.isRoot) return [SYSTEM_PLACE];
  const runtime = runtimeDirectory(user);
  const state = { path: absolutePath(join(stateDirectory(user), FILE_NAME)), folderMode: PRIVATE_FOLDER };
  if (runtime === undefined) return [state];
  return [{ path: absolutePath(join(runtime, "comanche", FILE_NAME)), folderMode: PRIVATE_FOLDER }, state];
}

/** Where to look for a server: the user's own comes before the system's. */
export function pidFilesToAsk(setting: AbsolutePath | undefined, user: UserFacts): readonly PidFilePath[] {
  const own = pidFilePaths(setting, user);
  return setting !== undefined || own.some(({ path }) => path === SYSTEM_PLACE.path) ? own : [...own, SYSTEM_PLACE];
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
const PRIVATE_FOLDER = 0o700;
/** Every user may ask for the status. */
const SYSTEM_PLACE: PidFilePath = { path: absolutePath("/run/comanche/comanche.pid"), folderMode: 0o755 };
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
    if (content.kind === "pid") refuseBesides(findHolder(content, path), path);
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

/** @throws StartupError unless the holder of the PID file is no server */
function refuseBesides(holder: Holder, path: AbsolutePath): void {
  switch (holder.kind) {
    case "gone":
    case "stranger":
      return;
    case "server": {
      const help = "stop it first, or give this server a pidfile of its own";
      throw new StartupError(`already running with PID ${holder.pid} (PID file ${path}): ${help}`);
    }
    case "unproven": {
      const help = "if that is no Comanche, remove the file";
      throw new StartupError(
        `already running, it seems, with PID ${holder.pid} (${holder.command}, PID file ${path}): ${help}`,
      );
    }
    default:
      unreachable(holder);
  }
}

/** Inode and mtime: a new file may get the inode of one that was just removed. */
function readVersion(path: AbsolutePath): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : formatVersion(stat);
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
  const { path, folderMode } = first;
  // If mkdir fails, writing the file fails too and says why.
  if (folderMode !== undefined) attempt(() => mkdirSync(dirname(path), { recursive: true, mode: folderMode }));
  return others.length > 0 && !isWritableFolder(dirname(path)) ? choosePath(others) : path;
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
function removeIfPossible(path: AbsolutePath): void {
  attempt(() => rmSync(path, { force: true }));
}
