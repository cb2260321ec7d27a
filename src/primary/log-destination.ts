/**
 * Where the logs are written. `planAccessLog` and `planErrorLog` decide, `openLog` opens.
 *
 *     access log   `-`: standard output.  Set: that file, or the start fails.  Default: that file, else `access.log` in
 *                  the user's state directory, and the start says so
 *     error log    `-`: standard error.  Set: that file, or the start fails.  Not set: the console; for a daemon, which
 *                  has none, `comanche_error_log` beside the access log, else in the state directory
 */
import { constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { StartupError } from "../base/errors.ts";
import { describeSystemError } from "../observe/thrown.ts";

/** The setting `logfile` or `errorlog`. */
export interface LogSpec {
  readonly target: AbsolutePath | "-";
  /** False for the built-in default. */
  readonly isSet: boolean;
}

export interface LogEnvironment {
  readonly isDaemon: boolean;
  readonly stateDirectory: AbsolutePath;
}

export type LogPlan =
  | { readonly kind: "standard" }
  /** The first that can be opened is used. A state directory is created on demand. */
  | { readonly kind: "file"; readonly candidates: readonly LogCandidate[] }
  | { readonly kind: "impossible"; readonly why: string };

export interface LogCandidate {
  readonly path: AbsolutePath;
  readonly isInStateDirectory: boolean;
}

/** The caller closes the descriptor. */
export interface OpenedLog {
  readonly descriptor: number;
  /** The path, or `standard output`, `standard error`. */
  readonly name: string;
  /** Undefined for a standard stream. */
  readonly path: AbsolutePath | undefined;
  /** For the operator: the log is not at its usual place. */
  readonly notice: string | undefined;
}

export type LogKind = "access log" | "error log";

export function planAccessLog(spec: LogSpec, { isDaemon, stateDirectory }: LogEnvironment): LogPlan {
  if (spec.target === "-") return isDaemon ? withoutConsole("logfile", "standard output") : { kind: "standard" };
  const wanted: LogCandidate = { path: spec.target, isInStateDirectory: false };
  return { kind: "file", candidates: spec.isSet ? [wanted] : [wanted, below(stateDirectory, "access.log")] };
}

/** @param accessLog  path of the access log; undefined for standard output */
export function planErrorLog(spec: LogSpec, accessLog: AbsolutePath | undefined, environment: LogEnvironment): LogPlan {
  if (spec.target !== "-") {
    return { kind: "file", candidates: [{ path: spec.target, isInStateDirectory: false }] };
  }
  if (!environment.isDaemon) return { kind: "standard" };
  if (spec.isSet) return withoutConsole("errorlog", "standard error");
  const fallback = below(environment.stateDirectory, ERROR_LOG_NAME);
  // /dev is no place for a log file.
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

/** For a file that may have been moved away. @returns a descriptor that the caller closes */
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

// O_NONBLOCK: a FIFO without a reader gives an error instead of an endless wait. A full one gives EAGAIN instead of
// blocking one of the few file-system threads. Regular files ignore the flag.
const APPEND_WITHOUT_WAITING =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;

function openStandard(kind: LogKind): OpenedLog {
  if (kind === "error log") return { descriptor: 2, name: "standard error", path: undefined, notice: undefined };
  return { descriptor: openStandardOutput(), name: "standard output", path: undefined, notice: undefined };
}

/** Opened again, so that O_NONBLOCK does not affect other programs. Without it a stalled reader blocks our exit. */
function openStandardOutput(): number {
  try {
    // A file opened again would be written from its start, over what stderr writes to it; and it never stalls.
    if (fstatSync(1).isFile()) return 1;
    return openSync("/proc/self/fd/1", APPEND_WITHOUT_WAITING & ~constants.O_CREAT);
  } catch {
    // A socket, a pipe of another user, or no /proc.
    return 1;
  }
}
