/**
 * A small program of this folder as a child process: lines out, lines in, and how it ended.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

export interface ScriptEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Absolute path of the program of that name, as it is when compiled. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}

export class ChildScript {
  readonly pid: number;
  readonly end: Promise<ScriptEnd>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  #standardError = "";

  constructor(name: string, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, [scriptPath(name), ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#standardError += text;
    });
    // A program that has ended cannot read.
    this.#child.stdin.on("error", () => {});
    this.end = new Promise((resolve) => {
      this.#child.once("close", (status, signal) => resolve({ status, signal }));
    });
    if (this.#child.pid === undefined) throw new Error(`${name} did not start`);
    this.pid = this.#child.pid;
  }

  /** Everything so far; complete after `end`. */
  get standardError(): string {
    return this.#standardError;
  }

  /** The next line of its standard output; undefined after the last. */
  async nextLine(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done ? undefined : next.value;
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it whatever it is doing. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.end;
  }
}
