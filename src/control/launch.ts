/**
 * Daemon mode, in the command: starts the same program again in a session of its own. It returns when that serves or
 * has failed. The daemon's part is `start-reporter.ts`.
 *
 *     command                              daemon
 *     spawn, with an IPC channel     ->    openStartReporter finds the mark in its environment
 *     forwards its standard error    <-    anything it prints before it is ready, a crash included
 *     prints, returns 0              <-    ready, with lines for the user; the channel closes, the daemon lives on
 *     prints, returns its status     <-    failed, with the reason
 *     INT, TERM, HUP before that     ->    TERM, at the second one KILL
 *
 * When the command is killed, the channel closes and the daemon gives up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { unreachable } from "../base/errors.ts";
import { DAEMON_MARK, type LaunchMessage, parseLaunchMessage } from "./start-reporter.ts";

export interface LaunchOptions {
  /** Absolute path of the program's entry file. */
  readonly entry: string;
  /** Arguments of this command. */
  readonly args: readonly string[];
  /** Both get whole lines, or the daemon's output in pieces. */
  readonly standardOutput: (text: string) => void;
  readonly standardError: (text: string) => void;
}

export type LaunchOutcome =
  | LaunchMessage
  /** Without any message. */
  | { readonly kind: "ended"; readonly status: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: "not-spawned"; readonly why: string }
  | { readonly kind: "interrupted" };

export interface LaunchReport {
  readonly standardOutput: string;
  readonly standardError: string;
  readonly exitStatus: number;
}

/** Starts the daemon and waits for its message. @returns the exit status of the command */
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

/** The daemon has its own session, so signals from the terminal reach only the command. */
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
      // After a stop signal the daemon is no longer ready, even if it has said so.
      if (word !== undefined && !interruption.happened()) resolve(word);
    });
    child.on("error", (error) => resolve({ kind: "not-spawned", why: error.message }));
    child.once("exit", (status, signal) => {
      const outcome: LaunchOutcome = interruption.happened()
        ? { kind: "interrupted" }
        : { kind: "ended", status, signal };
      // Its last output may still be in the pipe, which a process it started may hold open for long.
      const enough = setTimeout(resolve, LAST_WORDS_MS, outcome);
      child.once("close", () => {
        clearTimeout(enough);
        resolve(outcome);
      });
    });
  });
}

const LAST_WORDS_MS = 1000;

/** The child no longer keeps this process alive. */
function release(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  child.stderr?.destroy();
  child.unref();
}
