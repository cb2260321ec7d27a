/**
 * A script of this folder in a process of its own, which ends when its standard input does and prints one JSON value.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export class HelperProcess {
  #child;
  #result;

  constructor(script, args, { defer }) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = spawn(process.execPath, [path, ...args.map(String)], { stdio: ["pipe", "pipe", "inherit"] });
    defer(() => this.#child.kill("SIGKILL"));
    let text = "";
    this.#child.stdout.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    this.#result = new Promise((resolve, reject) => {
      this.#child.once("close", (status) => {
        if (status === 0) resolve(JSON.parse(text));
        else reject(new Error(`${script} ended with ${status}`));
      });
    });
    // Whoever asks for the result learns of the failure; until then it must not end the trial.
    this.#result.catch(() => undefined);
  }

  /** Asks it to end, and returns what it found. */
  finish() {
    this.#child.stdin.end();
    return this.#result;
  }

  /** Waits for its own end. */
  get result() {
    return this.#result;
  }
}
