/**
 * `comanche stop` and `comanche reload`: signal the server that the PID file names, and wait for the result. The end of
 * the process answers a stop; the first reload in the state file that covers our hangup answers a reload.
 *
 * Only a proven server gets a signal (`holder.ts`), and neither PID 1 nor the process that started this command.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, unreachable } from "../base/errors.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { findHolder, type Holder } from "./holder.ts";
import type { PidFilePath } from "./pid-file.ts";
import { readPidFile } from "./pid-file-content.ts";
import { inspectProcess, type ProcessState } from "./process-info.ts";
import { readStateOf } from "./state-file.ts";

type NotAsked =
  | { readonly kind: "not-running"; readonly paths: readonly AbsolutePath[] }
  | { readonly kind: "not-a-pid-file"; readonly path: AbsolutePath }
  /** Another program has the PID of the file, or may have it. */
  | {
      readonly kind: "stranger" | "unproven";
      readonly pid: number;
      readonly command: string;
      readonly path: AbsolutePath;
    }
  /** PID 1, or the process that started this command. */
  | { readonly kind: "protected"; readonly pid: number; readonly path: AbsolutePath }
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
  if (server.kind !== "running") return server;
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
  if (server.kind !== "running") return server;
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
      return failure(withDetail(`reload failed (PID ${outcome.pid}), keeping the old configuration`, outcome.message));
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
    case "not-a-pid-file":
      return failure(`${outcome.path} is not a PID file: no process was signalled`);
    case "stranger":
    case "unproven": {
      const { kind, pid, command: name, path } = outcome;
      const what = `PID ${pid} of PID file ${path}`;
      if (kind === "stranger") return failure(`not running: ${what} is another program now (${name})`);
      return failure(`not signalled: nothing proves that ${what} is Comanche (${name}): if it is, use kill`);
    }
    case "protected": {
      const { pid, path } = outcome;
      const who = pid === INIT ? "which only the container's runtime signals" : "which started this command";
      return failure(`not signalled: PID file ${path} names PID ${pid}, ${who}`);
    }
    case "forbidden": {
      const { pid, path } = outcome;
      return failure(`may not ${command} PID ${pid} (PID file ${path}): it belongs to another user`);
    }
    default:
      return unreachable(outcome);
  }
}

const failure = (message: string): AnswerReport => ({ message, exitStatus: 1 });

/** `detail` may have several lines, such as the faults of a configuration. */
function withDetail(said: string, detail: string): string {
  return detail === "" ? said : `${said}: ${detail}`;
}

interface RunningServer {
  readonly kind: "running";
  readonly pid: number;
  readonly path: AbsolutePath;
  /** Inspected before any signal: a later process with this PID is another one. */
  readonly state: ProcessState;
}

/** The first server that the PID files name; without one, the first finding that is not just an absent server. */
function findRunning(paths: readonly PidFilePath[]): RunningServer | NotAsked {
  let other: NotAsked | undefined;
  for (const { path } of paths) {
    const found = lookAt(path);
    if (found?.kind === "running") return found;
    other ??= found;
  }
  return other ?? { kind: "not-running", paths: paths.map(({ path }) => path) };
}

function lookAt(path: AbsolutePath): RunningServer | NotAsked | undefined {
  const content = readPidFile(path);
  if (content.kind === "foreign") return { kind: "not-a-pid-file", path };
  const holder: Holder | undefined = content.kind === "pid" ? findHolder(content, path) : undefined;
  if (holder === undefined || holder.kind === "gone") return undefined;
  const { pid } = holder;
  if (pid === INIT || pid === process.ppid) return { kind: "protected", pid, path };
  return holder.kind === "server" ? { kind: "running", pid, path, state: inspectProcess(pid) } : { ...holder, path };
}

const INIT = 1;

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
