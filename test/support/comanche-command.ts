/**
 * The `comanche` command as a child process: what it prints, and how it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export interface CommandEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly standardOutput: string;
  readonly standardError: string;
}

export interface CommandOptions {
  readonly cwd: string;
  /** Beside PATH; nothing else is inherited. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of an ordinary user, where the tests run as root. */
  readonly userId?: number;
  /** A program with its arguments that starts the command, such as nohup. */
  readonly starter?: readonly string[];
}

export const scriptOfCommand = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const NOBODY = 65534;

export class ComancheCommand {
  readonly pid: number;
  /** When the process has ended and nobody holds its standard output and error any more. */
  readonly end: Promise<CommandEnd>;
  readonly #child: ChildProcess;
  #standardOutput = "";
  #standardError = "";
  #onOutput: () => void = () => {};

  constructor(args: readonly string[], { cwd, environment = {}, userId, starter = [] }: CommandOptions) {
    const identity = userId === undefined ? {} : { uid: userId, gid: userId };
    const [program = process.execPath, ...words] = [...starter, process.execPath, scriptOfCommand, ...args];
    this.#child = spawn(program, words, {
      cwd,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      ...identity,
    });
    if (this.#child.pid === undefined) throw new Error("the command did not start");
    this.pid = this.#child.pid;
    const kill = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#standardOutput += text;
      this.#onOutput();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#standardError += text;
      this.#onOutput();
    });
    this.end = new Promise((resolve) => {
      this.#child.once("close", (status, signal) => {
        process.off("exit", kill);
        const standardOutput = this.#standardOutput;
        resolve({ status, signal, standardOutput, standardError: this.#standardError });
        this.#onOutput();
      });
    });
  }

  /** Waits until it has printed this on either stream. @throws when it ends without having done so */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const output = this.#standardOutput + this.#standardError;
      const match = pattern.exec(output);
      if (match !== null) return match;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`it ended without printing ${pattern}: ${output}`);
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  /** The port of the first URL it prints. */
  async port(): Promise<number> {
    return Number((await this.printed(/http:\/\/[^/ ]+:(\d+)\//))[1]);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.end;
  }
}

/** The id of an ordinary user to run the command as: undefined for whoever runs the tests, who is one already. */
export const ordinaryUserId = process.geteuid?.() === 0 ? NOBODY : undefined;

/** Why no ordinary user can run the command, for node:test's `skip`; false when one can. */
export const ordinaryUserCannotRun = ((): string | false => {
  if (ordinaryUserId === undefined) return false;
  for (let path = scriptOfCommand; path !== "/"; path = dirname(path)) {
    const wanted = path === scriptOfCommand ? constants.S_IROTH : constants.S_IXOTH;
    if ((statSync(path).mode & wanted) === 0) return `an ordinary user may not read ${path}`;
  }
  accessSync(process.execPath, constants.X_OK);
  return false;
})();
