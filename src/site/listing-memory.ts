/** The memory of directory indexes that are being sent. */
import { type Bytes, bytes } from "../base/units.ts";

/** For all listings that are being sent: each is one piece, and may wait for a slow reader. */
const MAX_LISTING_BYTES = bytes(64 * 1024 * 1024);

export class ListingMemory {
  readonly #maxBytes: Bytes;
  #taken = 0;

  constructor(maxBytes: Bytes = MAX_LISTING_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * A page above the limit is accepted when it is the only one, else it could never be sent.
   * @returns false when the page must not be kept; after true the caller must `release` the same size
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
