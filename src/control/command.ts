/**
 * The commands that speak to a running server: `stop`, `reload` and `status`. They need to know where its PID file is,
 * and must work past a broken configuration file: whoever has just broken it needs them most.
 */

import { unreachable } from "../base/errors.ts";
import { type Milliseconds, milliseconds, unixMilliseconds } from "../base/units.ts";
import type { Command } from "../config/argv.ts";
import { type Fault, formatFault } from "../config/fault.ts";
import type { Settings } from "../config/settings.ts";
import { describeReload, describeStop, reloadServer, stopServer } from "./ask-server.ts";
import { type PidFilePath, pidFilePaths } from "./pid-file.ts";
import { describeStatus, lookAtServer, type StatusOutcome } from "./status.ts";
import type { UserFacts } from "./user-directories.ts";

export interface CommandInput {
  readonly name: Exclude<Command, "serve">;
  /** What of them could be read. */
  readonly settings: Settings;
  /** The faults of the configuration file. */
  readonly faults: readonly Fault[];
  readonly user: UserFacts;
}

/** How a command ended: lines for the standard output and for the standard error, as far as there is anything to say. */
export interface CommandReport {
  readonly output: string | undefined;
  readonly complaints: readonly string[];
  readonly exitStatus: number;
}

/** How long `reload` waits for the server's word: time for new workers to start, old ones need not have ended. */
const RELOAD_TIMEOUT = milliseconds(60_000);
/** How much longer than the server's own grace `stop` waits for it. */
const STOP_MARGIN_MS = 5000;

/** @throws StartupError when a PID file cannot be read (but not of `status`, which says so) */
export async function runCommand({ name, settings, faults, user }: CommandInput): Promise<CommandReport> {
  const { pidfile, grace } = settings.server;
  const paths = pidFilePaths(pidfile, user);
  switch (name) {
    case "stop":
      return stop(paths, grace, faults);
    case "reload":
      return reload(paths, faults);
    case "status":
      return tellStatus(paths, faults);
    default:
      return unreachable(name);
  }
}

/** The faults are told: they will keep the server from starting again. */
async function stop(paths: readonly PidFilePath[], grace: Milliseconds, faults: readonly Fault[]) {
  const timeout = milliseconds(grace + STOP_MARGIN_MS);
  return toReport(describeStop(await stopServer(paths, timeout)), faults.map(formatFault));
}

/** The faults are told by the server; by us only where there is none, for they may have hidden its PID file. */
async function reload(paths: readonly PidFilePath[], faults: readonly Fault[]) {
  const outcome = await reloadServer(paths, RELOAD_TIMEOUT);
  return toReport(describeReload(outcome), outcome.kind === "not-running" ? faults.map(formatFault) : []);
}

function tellStatus(paths: readonly PidFilePath[], faults: readonly Fault[]): CommandReport {
  const outcome = doubtStatus(lookAtServer(paths), faults);
  const { message, exitStatus } = describeStatus(outcome, unixMilliseconds(Date.now()));
  const complaints = outcome.kind === "not-running" ? faults.map(formatFault) : [];
  return { output: message, complaints, exitStatus };
}

/** A configuration file that cannot be read may name another PID file than the one that is not there. */
export function doubtStatus(outcome: StatusOutcome, faults: readonly Fault[]): StatusOutcome {
  const wholeFile = faults.find((fault) => fault.kind === "file" && fault.position.line === 0);
  if (outcome.kind !== "not-running" || wholeFile === undefined) return outcome;
  return { kind: "unknown", why: formatFault(wholeFile) };
}

function toReport(
  { message, exitStatus }: { readonly message: string; readonly exitStatus: number },
  complaints: readonly string[],
): CommandReport {
  if (exitStatus === 0) return { output: message, complaints, exitStatus };
  return { output: undefined, complaints: [...complaints, message], exitStatus };
}
