/**
 * Where the logs go. `planAccessLog` and `planErrorLog` decide, `openLog` opens.
 *
 *     access log   `-`: standard output.  Set by somebody: that file or no start.  Left at its default: that file, or
 *                  else `access.log` in the user's state directory, and the start says so
 *     error log    `-`: standard error.  Set to a file: that file or no start.  Not set: the console, or for a daemon,
 *                  which has none, `comanche_error_log` beside the access log, or else in the state directory
 */
import { constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { StartupError } from "../base/errors.ts";
import { describeSystemError } from "../observe/thrown.ts";

/** `logfile` or `errorlog` as it stands in the settings. */
export interface LogSpec {
  readonly target: AbsolutePath | "-";
  /** False when nobody set it. */
  readonly isSet: boolean;
}

export interface LogEnvironment {
  readonly isDaemon: boolean;
  readonly stateDirectory: AbsolutePath;
}

export type LogPlan =
  | { readonly kind: "standard" }
  /** The first that can be opened. A state directory is made when it is needed. */
  | { readonly kind: "file"; readonly candidates: readonly LogCandidate[] }
  | { readonly kind: "impossible"; readonly why: string };

export interface LogCandidate {
  readonly path: AbsolutePath;
  readonly isInStateDirectory: boolean;
}

/** The descriptor is the caller's to close. */
export interface OpenedLog {
  readonly descriptor: number;
  /** The path, or `standard output`, `standard error`. */
  readonly name: string;
  /** Undefined for a standard stream. */
  readonly path: AbsolutePath | undefined;
  /** What the operator should know: the log is not where it would be expected. */
  readonly notice: string | undefined;
}

export type LogKind = "access log" | "error log";

export function planAccessLog(spec: LogSpec, { isDaemon, stateDirectory }: LogEnvironment): LogPlan {
  if (spec.target === "-") return isDaemon ? withoutConsole("logfile", "standard output") : { kind: "standard" };
  const wanted: LogCandidate = { path: spec.target, isInStateDirectory: false };
  return { kind: "file", candidates: spec.isSet ? [wanted] : [wanted, below(stateDirectory, "access.log")] };
}

/** @param accessLog  where the access log went; undefined for standard output */
export function planErrorLog(spec: LogSpec, accessLog: AbsolutePath | undefined, environment: LogEnvironment): LogPlan {
  if (spec.target !== "-") {
    return { kind: "file", candidates: [{ path: spec.target, isInStateDirectory: false }] };
  }
  if (!environment.isDaemon) return { kind: "standard" };
  if (spec.isSet) return withoutConsole("errorlog", "standard error");
  const fallback = below(environment.stateDirectory, ERROR_LOG_NAME);
  // Beside /dev/null is no place for a file.
  if (accessLog === undefined || accessLog.startsWith("/dev/")) return { kind: "file", candidates: [fallback] };
  const beside = absolutePath(join(dirname(accessLog), ERROR_LOG_NAME));
  return { kind: "file", candidates: [{ path: beside, isInStateDirectory: false }, fallback] };
}

/** @throws StartupError when no candidate can be opened, or the plan is impossible */
export function openLog(kind: LogKind, plan: LogPlan): OpenedLog {
  switch (plan.kind) {
    case "impossible":
      throw new StartupError(plan.why);
    case "standard":
      return openStandard(kind);
    case "file":
      return openFirst(kind, plan.candidates);
  }
}

/** A file that may have been moved away since it was opened. @returns a descriptor, the caller's to close */
export function reopenLog(path: AbsolutePath): number {
  return openSync(path, APPEND_WITHOUT_WAITING, LOG_MODE);
}

const LOG_MODE = 0o640;
const ERROR_LOG_NAME = "comanche_error_log";

function withoutConsole(key: string, stream: string): LogPlan {
  return {
    kind: "impossible",
    why: `${key} = - is the ${stream}, which a daemon does not have: name a file, or add -d`,
  };
}

function below(stateDirectory: AbsolutePath, name: string): LogCandidate {
  return { path: absolutePath(join(stateDirectory, name)), isInStateDirectory: true };
}

function openFirst(kind: LogKind, candidates: readonly LogCandidate[]): OpenedLog {
  const failures: string[] = [];
  for (const { path, isInStateDirectory } of candidates) {
    try {
      if (isInStateDirectory) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const descriptor = openSync(path, APPEND_WITHOUT_WAITING, LOG_MODE);
      const notice = failures.length === 0 ? undefined : `${kind}: ${failures.join("; ")}: using ${path}`;
      return { descriptor, name: path, path, notice };
    } catch (error) {
      failures.push(`cannot write ${path} (${describeSystemError(error)})`);
    }
  }
  const key = kind === "access log" ? "logfile" : "errorlog";
  throw new StartupError(`${kind}: ${failures.join("; ")}: set ${key} to a file that this user may write`);
}

// O_NONBLOCK: a named pipe that nobody reads is an error and not an endless wait, and one that is full gives EAGAIN
// instead of holding one of the few file-system threads. Regular files ignore the flag.
const APPEND_WITHOUT_WAITING =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;

function openStandard(kind: LogKind): OpenedLog {
  if (kind === "error log") return { descriptor: 2, name: "standard error", path: undefined, notice: undefined };
  return { descriptor: openStandardOutput(), name: "standard output", path: undefined, notice: undefined };
}

/**
 * Standard output once more, so that O_NONBLOCK holds for us and not for the other programs that share it: without it
 * a reader that stalls would hold a thread, and the process could not even exit.
 */
function openStandardOutput(): number {
  try {
    // A file opened anew would be written from its beginning, over what standard error writes to it; and it never stalls.
    if (fstatSync(1).isFile()) return 1;
    return openSync("/proc/self/fd/1", APPEND_WITHOUT_WAITING & ~constants.O_CREAT);
  } catch {
    // A socket, a pipe of another user, or no /proc.
    return 1;
  }
}
