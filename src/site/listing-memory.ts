/**
 * A bound on the memory that pages take while their clients read them: a directory index is made in one piece, and may
 * wait for a slow reader.
 */
import { type Bytes, bytes } from "../base/units.ts";

const MAX_BYTES = bytes(64 * 1024 * 1024);

export class ListingMemory {
  readonly #maxBytes: Bytes;
  #taken = 0;

  constructor(maxBytes: Bytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * A page that is larger than all there may be is taken when it is the only one, else it could never be sent.
   *
   * @returns false when the page must not be kept; when true, `give` must be called with the same size
   */
  reserve(size: number): boolean {
    if (this.#taken > 0 && this.#taken + size > this.#maxBytes) return false;
    this.#taken += size;
    return true;
  }

  release(size: number): void {
    this.#taken -= size;
  }
}
