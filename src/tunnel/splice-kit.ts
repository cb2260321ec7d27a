/**
 * What all splices of a process share that are on handles: Node's inside, and what the next write needs. Both are used up only
 * by a write that has to wait, which few do but those of TLS.
 */
import type { NodeInternals, WriteRequest } from "../transport/node-internals.ts";

/** No handle is read in pieces greater than that. */
export const READ_SIZE = 64 * 1024;

export type SpliceWrite = WriteRequest;

export class SpliceKit {
  readonly internals: NodeInternals;
  #spareWrite: SpliceWrite;
  #spareBytes = Buffer.allocUnsafeSlow(READ_SIZE);

  constructor(internals: NodeInternals) {
    this.internals = internals;
    this.#spareWrite = makeWrite(internals);
  }

  /** For the next write, which leaves it as it is unless it has to wait or fails: then `useWrite` is to be called. */
  get spareWrite(): SpliceWrite {
    return this.#spareWrite;
  }

  useWrite(): void {
    this.#spareWrite = makeWrite(this.internals);
  }

  /** @returns a copy that is overwritten by the next, unless `keep` is called with it */
  copy(chunk: Uint8Array): Uint8Array {
    if (chunk.length > this.#spareBytes.length) {
      this.#spareBytes = Buffer.allocUnsafeSlow(Math.max(READ_SIZE, chunk.length));
    }
    this.#spareBytes.set(chunk);
    return this.#spareBytes.subarray(0, chunk.length);
  }

  keep(copy: Uint8Array): void {
    this.#spareBytes = this.#spareBytes.subarray(copy.length);
  }
}

function makeWrite(internals: NodeInternals): SpliceWrite {
  const request: SpliceWrite = new internals.WriteWrap();
  request.oncomplete = completeWrite;
  return request;
}

/** One function for all: each of its own would be made anew for every write of TLS. */
function completeWrite(this: SpliceWrite, status: number): void {
  this.writer?.onWritten(status);
}
