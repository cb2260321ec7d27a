/**
 * `comanche reload`: asks the server that the PID file names to take up its configuration anew, and waits for its word.
 *
 * The server reads the configuration and tells the faults; this command needs to know the PID file only. The request is
 * SIGHUP, the answer is found in the state file: the first reload that covers more hangups than were known before ours.
 */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { unreachable } from "../base/unreachable.ts";
import type { PidFilePath } from "./pid-file.ts";
import { describeAbsence, findRunning, isStillRunning, sendSignal } from "./running-server.ts";
import { readState, type ServerState } from "./state-file.ts";

export type ReloadOutcome =
  | { readonly kind: "done"; readonly pid: number; readonly message: string }
  | { readonly kind: "failed"; readonly pid: number; readonly message: string }
  | { readonly kind: "not-running"; readonly paths: readonly AbsolutePath[] }
  | { readonly kind: "forbidden"; readonly pid: number; readonly path: AbsolutePath }
  /** It is about to end, so it was not asked, or will not do it. */
  | { readonly kind: "stopping"; readonly pid: number }
  | { readonly kind: "died"; readonly pid: number }
  /** It was asked, and has no state file that could hold its answer. */
  | { readonly kind: "mute"; readonly pid: number }
  | { readonly kind: "silent"; readonly pid: number; readonly patience: Milliseconds };

export interface ReloadReport {
  readonly message: string;
  readonly exitStatus: 0 | 1;
}

const POLL_INTERVAL = milliseconds(50);

/**
 * @param patience  how long to wait for the server's word
 * @throws StartupError when a PID file cannot be read
 */
export async function reloadServer(places: readonly PidFilePath[], patience: Milliseconds): Promise<ReloadOutcome> {
  const server = findRunning(places);
  if (server === undefined) return { kind: "not-running", paths: places.map((place) => place.path) };
  const { pid, path } = server;
  const before = readOwnState(pid, path);
  if (before?.phase === "stopping") return { kind: "stopping", pid };
  if (sendSignal(server, "SIGHUP") === "forbidden") return { kind: "forbidden", pid, path };
  if (before === undefined) return { kind: "mute", pid };
  for (let waited = 0; waited <= patience; waited += POLL_INTERVAL) {
    const now = readOwnState(pid, path);
    if (now?.reload !== undefined && now.reload.covers > before.hangups) {
      return { kind: now.reload.outcome, pid, message: now.reload.message };
    }
    if (now?.phase === "stopping") return { kind: "stopping", pid };
    if (!isStillRunning(server)) return { kind: "died", pid };
    await setTimeout(POLL_INTERVAL);
  }
  return { kind: "silent", pid, patience };
}

export function describeReload(outcome: ReloadOutcome): ReloadReport {
  switch (outcome.kind) {
    case "done":
      return { message: withDetail(`reloaded (PID ${outcome.pid})`, outcome.message), exitStatus: 0 };
    case "failed":
      return { message: withDetail(`not reloaded (PID ${outcome.pid})`, outcome.message), exitStatus: 1 };
    case "not-running":
      return { message: describeAbsence(outcome.paths), exitStatus: 1 };
    case "forbidden": {
      const { pid, path } = outcome;
      return { message: `may not reload PID ${pid} (PID file ${path}): it belongs to another user`, exitStatus: 1 };
    }
    case "stopping":
      return { message: `PID ${outcome.pid} does not reload: it is stopping`, exitStatus: 1 };
    case "died":
      return { message: `PID ${outcome.pid} ended before it had reloaded: its error log says why`, exitStatus: 1 };
    case "mute": {
      const why = "it keeps no state file that can be read: its error log says what came of it";
      return { message: `PID ${outcome.pid} was asked to reload, but ${why}`, exitStatus: 1 };
    }
    case "silent": {
      const time = `${outcome.patience / 1000} s`;
      return {
        message: `PID ${outcome.pid} was asked to reload but has not said within ${time} what came of it`,
        exitStatus: 1,
      };
    }
    default:
      return unreachable(outcome);
  }
}

/** The state, unless an earlier server left it. */
function readOwnState(pid: number, path: AbsolutePath): ServerState | undefined {
  const state = readState(path);
  return state?.pid === pid ? state : undefined;
}

/** The detail may have several lines, such as the faults of a configuration. */
function withDetail(said: string, detail: string): string {
  return detail === "" ? said : `${said}: ${detail}`;
}
