/**
 * Daemon mode, the side of the command: starts the same program once more in a session of its own and returns only
 * when that serves, or has said why it does not. The side of the started program is `startReporter.ts`.
 *
 *     command                              daemon
 *     spawn, with an IPC channel     ->    openLifeline finds the mark in its environment
 *     its standard error, as it comes <-   anything it prints before it is ready, a crash included
 *     prints, returns 0              <-    ready, with the lines for the user; then the channel closes, the daemon lives on
 *     prints, returns its status     <-    failed, with why
 *     INT, TERM, HUP before that     ->    TERM, at the second one KILL
 *
 * Were the command itself killed, the daemon sees the channel close and gives up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { unreachable } from "../base/errors.ts";
import { DAEMON_MARK, type LaunchMessage, parseLaunchMessage } from "./start-reporter.ts";

export interface LaunchOptions {
  /** Absolute path of the program's entry file. */
  readonly entry: string;
  /** The arguments of this very command. */
  readonly args: readonly string[];
  /** Where the user reads: both get whole lines, or what the daemon wrote as it came. */
  readonly standardOutput: (text: string) => void;
  readonly standardError: (text: string) => void;
}

export type LaunchOutcome =
  | LaunchMessage
  /** It ended without having said anything. */
  | { readonly kind: "ended"; readonly status: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: "not-spawned"; readonly why: string }
  | { readonly kind: "interrupted" };

export interface LaunchReport {
  readonly standardOutput: string;
  readonly standardError: string;
  readonly exitStatus: number;
}

/** Starts the daemon and waits for its word. @returns the exit status of the command */
export async function launch(options: LaunchOptions): Promise<number> {
  const child = spawnDaemon(options);
  child.stderr?.setEncoding("utf8").on("data", options.standardError);
  const interruption = watchForSignals(child);
  const outcome = await waitForWord(child, interruption);
  interruption.unwatch();
  release(child);
  const report = describeLaunch(outcome);
  if (report.standardOutput !== "") options.standardOutput(report.standardOutput);
  if (report.standardError !== "") options.standardError(report.standardError);
  return report.exitStatus;
}

export function describeLaunch(outcome: LaunchOutcome): LaunchReport {
  const failure = (message: string, exitStatus = 1): LaunchReport => ({
    standardOutput: "",
    standardError: `${message}\n`,
    exitStatus,
  });
  switch (outcome.kind) {
    case "ready":
      return { standardOutput: outcome.lines.map((line) => `${line}\n`).join(""), standardError: "", exitStatus: 0 };
    case "failed":
      return failure(outcome.message, outcome.exitStatus);
    case "ended": {
      const how = outcome.signal === null ? `exit status ${outcome.status}` : `signal ${outcome.signal}`;
      return failure(`the server ended before it was listening (${how})`);
    }
    case "not-spawned":
      return failure(`cannot start the server process: ${outcome.why}`);
    case "interrupted":
      return failure("interrupted before the server was listening");
    default:
      return unreachable(outcome);
  }
}

function spawnDaemon({ entry, args }: LaunchOptions): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, entry, ...args], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, [DAEMON_MARK]: "1" },
  });
}

const INTERRUPTING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

interface Interruption {
  readonly happened: () => boolean;
  readonly unwatch: () => void;
}

/** The daemon is in a session of its own, so what the terminal sends reaches only us. */
function watchForSignals(child: ChildProcess): Interruption {
  let count = 0;
  const onSignal = (): void => {
    child.kill(count++ === 0 ? "SIGTERM" : "SIGKILL");
  };
  for (const signal of INTERRUPTING_SIGNALS) process.on(signal, onSignal);
  return {
    happened: () => count > 0,
    unwatch: () => {
      for (const signal of INTERRUPTING_SIGNALS) process.off(signal, onSignal);
    },
  };
}

function waitForWord(child: ChildProcess, interruption: Interruption): Promise<LaunchOutcome> {
  return new Promise((resolve) => {
    child.on("message", (value) => {
      const word = parseLaunchMessage(value);
      // A daemon that was told to stop is no longer ready, whatever it said last.
      if (word !== undefined && !interruption.happened()) resolve(word);
    });
    child.on("error", (error) => resolve({ kind: "not-spawned", why: error.message }));
    child.once("exit", (status, signal) => {
      const outcome: LaunchOutcome = interruption.happened()
        ? { kind: "interrupted" }
        : { kind: "ended", status, signal };
      // Its last words may still be in the pipe. A process that it started may hold that pipe open for long.
      const enough = setTimeout(resolve, LAST_WORDS_MS, outcome);
      child.once("close", () => {
        clearTimeout(enough);
        resolve(outcome);
      });
    });
  });
}

const LAST_WORDS_MS = 1000;

/** Nothing of the child keeps this process alive any longer. */
function release(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  child.stderr?.destroy();
  child.unref();
}
