/**
 * The access log of a worker, which either appends to the file that the primary has opened or sends its lines there.
 *
 *     the worker    a regular file. It is in append mode, so whole lines of several processes are never mixed, and it takes a
 *                   batch at once: a write that waits in the threads for files would cost a tenth of a request more
 *     the primary   what may make a writer wait: a pipe, a terminal. While a file refuses lines, as on a full disk: one
 *                   process tries again, in order. After a rotation, where koffi is missing and no file can be handed over
 */
import { closeSync, writeSync } from "node:fs";
import type { Refusal } from "../observe/access-log.ts";
import type { LogFile } from "../observe/log-file.ts";
import { describeSystemError } from "../observe/thrown.ts";
import type { HandedFile, LogMessage } from "./messages.ts";

const LINE_FEED = 0x0a;

export interface HandedLogParts {
  readonly handed: HandedFile;
  /** Resolves when the lines are with the kernel; rejects when the primary has gone. */
  readonly relay: (lines: Uint8Array, refusal?: Refusal) => Promise<void>;
  /** As `DescriptorCalls` has it; undefined without koffi. */
  readonly receiveDescriptor: ((socket: number) => number | undefined) | undefined;
}

export class HandedLog implements LogFile {
  readonly name: string;
  readonly #parts: HandedLogParts;
  /** Undefined: all lines go to the primary. */
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
