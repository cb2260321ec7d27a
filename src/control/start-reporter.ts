/**
 * Reports that the server serves, or why it does not. A foreground server prints the report. A daemon sends it to the
 * waiting command (`launch.ts`), closes the channel, and leaves its working directory and standard error.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { attempt } from "../base/errors.ts";
import { isTexts } from "./state-file.ts";

/** The one message of a daemon to the command that started it. */
export type LaunchMessage =
  | { readonly kind: "ready"; readonly lines: readonly string[] }
  | { readonly kind: "failed"; readonly message: string; readonly exitStatus: number };

/** Marks the environment of a daemon: its channel is from `launch`, not from another parent. It is no setting. */
export const DAEMON_MARK = "COMANCHE_DAEMON";

export interface StartReporter {
  readonly isDaemon: boolean;
  /**
   * @param lines  for the user: what serves where
   * @param crashLog  a daemon's: the file for Node's own output, such as the stack of a crash; without it that is lost
   */
  reportReady(lines: readonly string[], crashLog?: string): Promise<void>;
  /** The server cannot start. The caller exits with that status. */
  reportFailure(message: string, exitStatus: number): Promise<void>;
}

/**
 * Call it once, first of all: it removes the daemon's mark from the environment, so that no other process inherits it.
 *
 * @param onAbandoned  a daemon's: the command has gone before any report, so starting is useless
 */
export function openStartReporter(onAbandoned: () => void): StartReporter {
  const isDaemon = process.env[DAEMON_MARK] === "1" && process.send !== undefined;
  delete process.env[DAEMON_MARK];
  return isDaemon ? openDaemonReporter(onAbandoned) : FOREGROUND;
}

const FOREGROUND: StartReporter = {
  isDaemon: false,
  reportReady: async (lines) => writeSafely(1, lines.map((line) => `${line}\n`).join("")),
  reportFailure: async (message) => writeSafely(2, `${message}\n`),
};

function openDaemonReporter(onAbandoned: () => void): StartReporter {
  process.once("disconnect", onAbandoned);
  // The command may have gone before the handler was set.
  if (!process.connected) setImmediate(onAbandoned);
  const report = async (message: LaunchMessage): Promise<void> => {
    process.off("disconnect", onAbandoned);
    await send(message);
    if (process.connected) process.disconnect();
  };
  return {
    isDaemon: true,
    reportReady: async (lines, crashLog = "/dev/null") => {
      process.chdir("/");
      redirectStandardError(crashLog);
      await report({ kind: "ready", lines });
    },
    reportFailure: (message, exitStatus) => report({ kind: "failed", message, exitStatus }),
  };
}

/** Resolves when the kernel has the message, or the command has gone. */
function send(message: LaunchMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}

/** For a daemon: its pipe breaks when the command ends. open(2) gives the lowest free number, so 2 is reused. */
export function redirectStandardError(path: string): void {
  closeSync(2);
  try {
    openSync(path, "a");
  } catch {
    openSync("/dev/null", "a");
  }
}

/** A console that has gone is no reason not to serve. */
function writeSafely(descriptor: number, text: string): void {
  attempt(() => writeSync(descriptor, text));
}

/** @returns undefined for anything else */
export function parseLaunchMessage(value: unknown): LaunchMessage | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) return undefined;
  if (value.kind === "ready" && "lines" in value && isTexts(value.lines)) return { kind: "ready", lines: value.lines };
  if (value.kind !== "failed" || !("message" in value) || !("exitStatus" in value)) return undefined;
  const { message, exitStatus } = value;
  if (typeof message !== "string" || typeof exitStatus !== "number") return undefined;
  return { kind: "failed", message, exitStatus };
}
