/**
 * `comanche stop` and `comanche reload`: signal the server that the PID file names, and wait for the result. The end of
 * the process answers a stop; the first reload in the state file that covers our hangup answers a reload.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, unreachable } from "../base/errors.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { findHolder, type PidFilePath, readPidFile } from "./pid-file.ts";
import { inspectProcess, type ProcessState } from "./process-info.ts";
import { readStateOf } from "./state-file.ts";

type NotAsked =
  | { readonly kind: "not-running"; readonly paths: readonly AbsolutePath[] }
  | { readonly kind: "forbidden"; readonly pid: number; readonly path: AbsolutePath };

export type StopOutcome =
  | NotAsked
  | { readonly kind: "stopped"; readonly pid: number }
  | { readonly kind: "draining"; readonly pid: number; readonly timeout: Milliseconds };

export type ReloadOutcome =
  | NotAsked
  | { readonly kind: "done"; readonly pid: number; readonly message: string }
  | { readonly kind: "failed"; readonly pid: number; readonly message: string }
  /** It is about to end: it was not asked, or will not reload. */
  | { readonly kind: "stopping"; readonly pid: number }
  | { readonly kind: "died"; readonly pid: number }
  /** It was asked, but has no state file for its answer. */
  | { readonly kind: "mute"; readonly pid: number }
  | { readonly kind: "silent"; readonly pid: number; readonly timeout: Milliseconds };

export interface AnswerReport {
  readonly message: string;
  readonly exitStatus: 0 | 1;
}

const POLL_INTERVAL = milliseconds(50);

/** @param timeout  the server's `grace` and a little more. @throws StartupError when a PID file cannot be read */
export async function stopServer(paths: readonly PidFilePath[], timeout: Milliseconds): Promise<StopOutcome> {
  const server = findRunning(paths);
  if (server === undefined) return notRunning(paths);
  const { pid, path } = server;
  if (sendSignal(pid, "SIGTERM") === "forbidden") return { kind: "forbidden", pid, path };
  for (let waited = 0; isStillRunning(server); waited += POLL_INTERVAL) {
    if (waited >= timeout) return { kind: "draining", pid, timeout };
    await setTimeout(POLL_INTERVAL);
  }
  return { kind: "stopped", pid };
}

/** @throws StartupError when a PID file cannot be read */
export async function reloadServer(paths: readonly PidFilePath[], timeout: Milliseconds): Promise<ReloadOutcome> {
  const server = findRunning(paths);
  if (server === undefined) return notRunning(paths);
  const { pid, path } = server;
  const before = readStateOf(pid, path);
  if (before?.phase === "stopping") return { kind: "stopping", pid };
  if (sendSignal(pid, "SIGHUP") === "forbidden") return { kind: "forbidden", pid, path };
  if (before === undefined) return { kind: "mute", pid };
  for (let waited = 0; waited <= timeout; waited += POLL_INTERVAL) {
    const now = readStateOf(pid, path);
    if (now?.reload !== undefined && now.reload.covers > before.hangups) {
      return { kind: now.reload.outcome, pid, message: now.reload.message };
    }
    if (now?.phase === "stopping") return { kind: "stopping", pid };
    if (!isStillRunning(server)) return { kind: "died", pid };
    await setTimeout(POLL_INTERVAL);
  }
  return { kind: "silent", pid, timeout };
}

export function describeStop(outcome: StopOutcome): AnswerReport {
  switch (outcome.kind) {
    case "stopped":
      return { message: `stopped (PID ${outcome.pid})`, exitStatus: 0 };
    case "draining": {
      const time = `${outcome.timeout / 1000} s`;
      return failure(`PID ${outcome.pid} was asked to stop but is still running after ${time}`);
    }
    default:
      return describeNotAsked(outcome, "stop");
  }
}

export function describeReload(outcome: ReloadOutcome): AnswerReport {
  switch (outcome.kind) {
    case "done":
      return { message: withDetail(`reloaded (PID ${outcome.pid})`, outcome.message), exitStatus: 0 };
    case "failed":
      return failure(withDetail(`not reloaded (PID ${outcome.pid})`, outcome.message));
    case "stopping":
      return failure(`PID ${outcome.pid} does not reload: it is stopping`);
    case "died":
      return failure(`PID ${outcome.pid} exited before it had reloaded: see its error log`);
    case "mute": {
      const why = "its state file cannot be read: see its error log for the result";
      return failure(`PID ${outcome.pid} was asked to reload, but ${why}`);
    }
    case "silent": {
      const time = `${outcome.timeout / 1000} s`;
      return failure(`PID ${outcome.pid} was asked to reload but has not reported a result within ${time}`);
    }
    default:
      return describeNotAsked(outcome, "reload");
  }
}

function describeNotAsked(outcome: NotAsked, command: "stop" | "reload"): AnswerReport {
  switch (outcome.kind) {
    case "not-running":
      return failure(`not running: no live process in PID file ${outcome.paths.join(" or ")}`);
    case "forbidden": {
      const { pid, path } = outcome;
      return failure(`may not ${command} PID ${pid} (PID file ${path}): it belongs to another user`);
    }
    default:
      return unreachable(outcome);
  }
}

const failure = (message: string): AnswerReport => ({ message, exitStatus: 1 });

const notRunning = (paths: readonly PidFilePath[]): NotAsked => ({
  kind: "not-running",
  paths: paths.map(({ path }) => path),
});

/** `detail` may have several lines, such as the faults of a configuration. */
function withDetail(said: string, detail: string): string {
  return detail === "" ? said : `${said}: ${detail}`;
}

interface RunningServer {
  readonly pid: number;
  readonly path: AbsolutePath;
  /** Inspected before any signal: a later process with this PID is another one. */
  readonly state: ProcessState;
}

/** The server of the first PID file that names a live process. */
function findRunning(paths: readonly PidFilePath[]): RunningServer | undefined {
  for (const { path } of paths) {
    const pid = findHolder(readPidFile(path));
    if (pid !== undefined) return { pid, path, state: inspectProcess(pid) };
  }
  return undefined;
}

/** @returns `sent` also when the server has just ended, which the caller then sees */
function sendSignal(pid: number, signal: NodeJS.Signals): "sent" | "forbidden" {
  try {
    process.kill(pid, signal);
    return "sent";
  } catch (error) {
    return errorCode(error) === "EPERM" ? "forbidden" : "sent";
  }
}

function isStillRunning({ pid, state }: RunningServer): boolean {
  const now = inspectProcess(pid);
  if (state.kind === "gone" || now.kind === "gone") return false;
  return state.info?.startTicks === now.info?.startTicks;
}
