/**
 * Ticket keys where no file has them: from the primary, the same for all workers and generations. They are renewed,
 * because a stolen key reads every session that was resumed with it (RFC 5077 §5.5).
 */
import { randomBytes } from "node:crypto";

/** Name, authentication and encryption, 16 bytes each. */
const KEY_BYTES = 48;
/** After this time the keys are replaced; clients with older tickets make a full handshake. */
const LIFE_MS = 12 * 3600 * 1000;

export class TicketKeys {
  readonly #now: () => number;
  #keys: Uint8Array;
  #madeAt: number;

  /** @param now  milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now;
    this.#keys = randomBytes(KEY_BYTES);
    this.#madeAt = now();
  }

  /** 48 bytes, renewed when they are too old. */
  get current(): Uint8Array {
    if (this.#now() - this.#madeAt >= LIFE_MS) {
      this.#keys = randomBytes(KEY_BYTES);
      this.#madeAt = this.#now();
    }
    return this.#keys;
  }
}
