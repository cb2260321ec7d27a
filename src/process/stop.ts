/**
 * `comanche stop`: asks the server that the PID file names to stop, and waits until it has.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { unreachable } from "../base/unreachable.ts";
import { findHolder, type PidFilePlace, readPidFile } from "./pid-file.ts";
import { lookAtProcess, type ProcessLook } from "./process-look.ts";

export type StopOutcome =
  | { readonly kind: "stopped"; readonly pid: number }
  | { readonly kind: "not-running"; readonly paths: readonly AbsolutePath[] }
  | { readonly kind: "forbidden"; readonly pid: number; readonly path: AbsolutePath }
  | { readonly kind: "draining"; readonly pid: number; readonly patience: Milliseconds };

export interface StopReport {
  readonly message: string;
  readonly exitStatus: 0 | 1;
}

const POLL_INTERVAL = milliseconds(50);

/**
 * @param patience  how long to wait: the server's `grace` and a little more
 * @throws StartupError when a PID file cannot be read
 */
export async function stopServer(places: readonly PidFilePlace[], patience: Milliseconds): Promise<StopOutcome> {
  const running = findRunning(places);
  if (running === undefined) return { kind: "not-running", paths: places.map((place) => place.path) };
  const { pid } = running;
  // Looked at before the signal: a process that bears the number later is another one.
  const server = lookAtProcess(pid);
  if (terminate(pid) === "forbidden") return { kind: "forbidden", ...running };
  for (let waited = 0; isSameProcess(server, lookAtProcess(pid)); waited += POLL_INTERVAL) {
    if (waited >= patience) return { kind: "draining", pid, patience };
    await setTimeout(POLL_INTERVAL);
  }
  return { kind: "stopped", pid };
}

export function describeStop(outcome: StopOutcome): StopReport {
  switch (outcome.kind) {
    case "stopped":
      return { message: `stopped (PID ${outcome.pid})`, exitStatus: 0 };
    case "not-running":
      return { message: `not running: no live process in PID file ${outcome.paths.join(" or ")}`, exitStatus: 1 };
    case "forbidden": {
      const { pid, path } = outcome;
      return { message: `may not stop PID ${pid} (PID file ${path}): it belongs to another user`, exitStatus: 1 };
    }
    case "draining": {
      const time = `${outcome.patience / 1000} s`;
      return { message: `PID ${outcome.pid} was asked to stop but is still running after ${time}`, exitStatus: 1 };
    }
    default:
      return unreachable(outcome);
  }
}

function findRunning(places: readonly PidFilePlace[]): { pid: number; path: AbsolutePath } | undefined {
  for (const { path } of places) {
    const pid = findHolder(readPidFile(path));
    if (pid !== undefined) return { pid, path };
  }
  return undefined;
}

function terminate(pid: number): "sent" | "forbidden" {
  try {
    process.kill(pid, "SIGTERM");
    return "sent";
  } catch (error) {
    // ESRCH: it went by itself just now, which is what was wanted.
    return errorCode(error) === "EPERM" ? "forbidden" : "sent";
  }
}

function isSameProcess(before: ProcessLook, now: ProcessLook): boolean {
  if (before.kind === "gone" || now.kind === "gone") return false;
  return before.identity?.startTicks === now.identity?.startTicks;
}
