/**
 * `comanche stop`: asks the server that the PID file names to stop, and waits until it has.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { unreachable } from "../base/unreachable.ts";
import type { PidFilePath } from "./pid-file.ts";
import { describeAbsence, findRunning, isStillRunning, sendSignal } from "./running-server.ts";

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
export async function stopServer(places: readonly PidFilePath[], patience: Milliseconds): Promise<StopOutcome> {
  const server = findRunning(places);
  if (server === undefined) return { kind: "not-running", paths: places.map((place) => place.path) };
  const { pid, path } = server;
  if (sendSignal(server, "SIGTERM") === "forbidden") return { kind: "forbidden", pid, path };
  for (let waited = 0; isStillRunning(server); waited += POLL_INTERVAL) {
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
      return { message: describeAbsence(outcome.paths), exitStatus: 1 };
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
