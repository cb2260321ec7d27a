/**
 * The keys that seal session tickets where no file has them: made by the primary, the same for all workers and all
 * generations, and new now and then, because whoever gets one can read every session that was resumed with it (RFC 5077 §5.5).
 */
import { randomBytes } from "node:crypto";

/** Name, authentication and encryption, 16 bytes each. */
const KEY_BYTES = 48;
/** A ticket is older than that only where its session began before; such a client shakes hands anew. */
const LIFE_MS = 12 * 3600 * 1000;

export class TicketKeys {
  readonly #now: () => number;
  #keys: Uint8Array;
  #madeAt: number;

  /** @param now  milliseconds on a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#keys = randomBytes(KEY_BYTES);
    this.#madeAt = now();
  }

  /** 48 bytes; others as soon as the present ones are old. */
  get current(): Uint8Array {
    if (this.#now() - this.#madeAt >= LIFE_MS) {
      this.#keys = randomBytes(KEY_BYTES);
      this.#madeAt = this.#now();
    }
    return this.#keys;
  }
}
