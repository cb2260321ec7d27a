/**
 * A server that runs, found by its PID file: what the commands `stop`, `reload` and `status` have in common.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { findHolder, type PidFilePath, readPidFile } from "./pid-file.ts";
import { inspectProcess, type ProcessState } from "./process-info.ts";

export interface RunningServer {
  readonly pid: number;
  /** The PID file that names it. */
  readonly path: AbsolutePath;
  /** Looked at before any signal: a process that bears the number later is another one. */
  readonly look: ProcessState;
}

/**
 * @returns the server of the first place that has a live one
 * @throws StartupError when a PID file cannot be read
 */
export function findRunning(places: readonly PidFilePath[]): RunningServer | undefined {
  for (const { path } of places) {
    const pid = findHolder(readPidFile(path));
    if (pid !== undefined) return { pid, path, look: inspectProcess(pid) };
  }
  return undefined;
}

/** @returns `sent` also when the server went by itself just now, which whoever waits for it will see */
export function sendSignal({ pid }: RunningServer, signal: NodeJS.Signals): "sent" | "forbidden" {
  try {
    process.kill(pid, signal);
    return "sent";
  } catch (error) {
    return errorCode(error) === "EPERM" ? "forbidden" : "sent";
  }
}

/** Whether the very process that was found still runs. */
export function isStillRunning({ pid, look }: RunningServer): boolean {
  const now = inspectProcess(pid);
  if (look.kind === "gone" || now.kind === "gone") return false;
  return look.info?.startTicks === now.info?.startTicks;
}

/** For a message: `no live process in PID file /run/comanche.pid`. */
export function describeAbsence(paths: readonly AbsolutePath[]): string {
  return `not running: no live process in PID file ${paths.join(" or ")}`;
}
