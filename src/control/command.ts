/** The commands for a running server: `stop`, `reload` and `status`. They work also with a broken configuration. */
import { unreachable } from "../base/errors.ts";
import { milliseconds, unixMilliseconds } from "../base/units.ts";
import type { Command } from "../config/argv.ts";
import { type Fault, formatFault } from "../config/fault.ts";
import type { Settings } from "../config/settings.ts";
import { type AnswerReport, describeReload, describeStop, reloadServer, stopServer } from "./ask-server.ts";
import { pidFilesToAsk } from "./pid-file.ts";
import { describeStatus, lookAtServer, type StatusOutcome } from "./status.ts";
import type { UserFacts } from "./user-directories.ts";

export interface CommandInput {
  readonly name: Exclude<Command, "serve">;
  /** The part that could be read. */
  readonly settings: Settings;
  /** Of the configuration file. */
  readonly faults: readonly Fault[];
  readonly user: UserFacts;
}

/** Lines for standard output and standard error. */
export interface CommandReport {
  readonly output: string | undefined;
  readonly complaints: readonly string[];
  readonly exitStatus: number;
}

/** Time for new workers to start; old ones need not have ended. */
const RELOAD_TIMEOUT = milliseconds(60_000);
/** Added to the server's grace. */
const STOP_MARGIN_MS = 5000;

/** @throws StartupError when a PID file cannot be read (`status` reports that instead) */
export async function runCommand({ name, settings, faults, user }: CommandInput): Promise<CommandReport> {
  const { pidfile, grace } = settings.server;
  const paths = pidFilesToAsk(pidfile, user);
  const complaints = faults.map(formatFault);
  switch (name) {
    case "stop": {
      const outcome = await stopServer(paths, milliseconds(grace + STOP_MARGIN_MS));
      // The faults will keep the server from starting again.
      return toReport(describeStop(outcome), complaints);
    }
    case "reload": {
      const outcome = await reloadServer(paths, RELOAD_TIMEOUT);
      // A server reports the faults itself. When none is found, they may have hidden its PID file.
      return toReport(describeReload(outcome), outcome.kind === "not-running" ? complaints : []);
    }
    case "status": {
      const outcome = doubtStatus(lookAtServer(paths), faults);
      const { message, exitStatus } = describeStatus(outcome, unixMilliseconds(Date.now()));
      return { output: message, complaints: outcome.kind === "not-running" ? complaints : [], exitStatus };
    }
    default:
      return unreachable(name);
  }
}

/** An unreadable configuration file may name another PID file than the missing one. */
export function doubtStatus(outcome: StatusOutcome, faults: readonly Fault[]): StatusOutcome {
  const wholeFile = faults.find((fault) => fault.kind === "file" && fault.position.line === 0);
  if (outcome.kind !== "not-running" || wholeFile === undefined) return outcome;
  return { kind: "unknown", why: formatFault(wholeFile) };
}

function toReport({ message, exitStatus }: AnswerReport, complaints: readonly string[]): CommandReport {
  if (exitStatus === 0) return { output: message, complaints, exitStatus };
  return { output: undefined, complaints: [...complaints, message], exitStatus };
}
