/**
 * The access log of a worker. Either the worker appends to the file that the primary opened, or the primary writes.
 *
 *     the worker    regular files. They are in append mode, so whole lines are never mixed. The write is
 *                   synchronous: waiting in the file-system threads would cost a tenth of a request more
 *     the primary   pipes and terminals, which may block a writer; a file that refuses lines, as on a full disk: one
 *                   process retries, in order; without koffi every file after a rotation
 */
import { closeSync, writeSync } from "node:fs";
import type { Refusal } from "../observe/access-log.ts";
import type { LogFile } from "../observe/log-file.ts";
import { describeSystemError } from "../observe/thrown.ts";
import type { HandedFile, LogMessage } from "./messages.ts";

const LINE_FEED = 0x0a;

export interface HandedLogParts {
  readonly handed: HandedFile;
  /** Resolves when the kernel has the lines; rejects when the primary has gone. */
  readonly relay: (lines: Uint8Array, refusal?: Refusal) => Promise<void>;
  /** Undefined without koffi. */
  readonly receiveDescriptor: ((socket: number) => number | undefined) | undefined;
}

export class HandedLog implements LogFile {
  readonly name: string;
  readonly #parts: HandedLogParts;
  /** Undefined: the primary writes all lines. */
  #descriptor: number | undefined;
  #isRefused = false;

  constructor(parts: HandedLogParts) {
    this.#parts = parts;
    this.name = parts.handed.name;
    this.#descriptor = parts.handed.descriptor;
  }

  write(lines: Uint8Array): number | Promise<number> {
    const { relay } = this.#parts;
    if (this.#descriptor === undefined || this.#isRefused) return relay(lines).then(() => lines.length);
    let count = 0;
    try {
      while (count < lines.length) count += writeSync(this.#descriptor, lines, count);
      return count;
    } catch (error) {
      this.#isRefused = true;
      const isTorn = count > 0 && lines[count - 1] !== LINE_FEED;
      return relay(lines.subarray(count), { why: describeSystemError(error), isTorn }).then(() => lines.length);
    }
  }

  receive(message: LogMessage): void {
    if (message.kind === "log-writer") this.#isRefused = message.writer === "primary";
    else this.#reopen(message.isHanded);
  }

  async close(): Promise<void> {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #reopen(isHanded: boolean): void {
    void this.close();
    const { handed, receiveDescriptor } = this.#parts;
    if (isHanded && handed.socket !== undefined) this.#descriptor = receiveDescriptor?.(handed.socket);
  }
}
