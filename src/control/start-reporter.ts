/**
 * Reports that the server serves, or why it does not. In the foreground the report is printed; a daemon sends it to the
 * command that waits (`launch.ts`), then closes the channel and leaves the working directory and the standard error.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { attempt } from "../base/errors.ts";
import { isTexts } from "./state-file.ts";

/** What a daemon says to the command that started it: one message, once. */
export type LaunchMessage =
  | { readonly kind: "ready"; readonly lines: readonly string[] }
  | { readonly kind: "failed"; readonly message: string; readonly exitStatus: number };

/** Set in the environment of a daemon: its channel is from `launch`, and not from some other parent. It is no setting. */
export const DAEMON_MARK = "COMANCHE_DAEMON";

export interface StartReporter {
  readonly isDaemon: boolean;
  /**
   * The server is listening. `lines` are for the user: what serves where.
   *
   * @param crashLog  a daemon's: the file that gets what Node itself prints, such as the stack of a crash; else it is lost
   */
  reportReady(lines: readonly string[], crashLog?: string): Promise<void>;
  /** The server cannot start. The caller ends the process with that status. */
  reportFailure(message: string, exitStatus: number): Promise<void>;
}

/**
 * Call it once, first of all: it takes the mark of a daemon out of the environment, so that no other process inherits it.
 *
 * @param onAbandoned  a daemon's: the command has gone before anything was reported, so there is no use in starting
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
  // It may have gone before this process could listen for that.
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

/** Resolves when the message is with the kernel, or the command has gone. */
function send(message: LaunchMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}

/**
 * For a daemon. The pipe to the command ends with the command, and a write to a broken pipe would be an error of its own.
 * open(2) gives the lowest free number, so after the close it is 2 again.
 */
export function redirectStandardError(path: string): void {
  closeSync(2);
  try {
    openSync(path, "a");
  } catch {
    openSync("/dev/null", "a");
  }
}

/** A console that has gone away is no reason not to serve. */
function writeSafely(descriptor: number, text: string): void {
  attempt(() => writeSync(descriptor, text));
}

/** The message, or undefined for anything that is none. */
export function parseLaunchMessage(value: unknown): LaunchMessage | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) return undefined;
  if (value.kind === "ready" && "lines" in value && isTexts(value.lines)) return { kind: "ready", lines: value.lines };
  if (value.kind !== "failed" || !("message" in value) || !("exitStatus" in value)) return undefined;
  const { message, exitStatus } = value;
  if (typeof message !== "string" || typeof exitStatus !== "number") return undefined;
  return { kind: "failed", message, exitStatus };
}
