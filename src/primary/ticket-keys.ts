/**
 * Ticket keys where no file has them: from the primary, the same for all workers and generations. They are renewed,
 * because a stolen key reads every session that was resumed with it (RFC 5077 §5.5). The previous one is kept as long as a
 * client may have a ticket of it.
 */
import { randomBytes } from "node:crypto";
import { TICKET_KEY_BYTES, type TicketRing } from "../tls/ticket-ring.ts";

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;
/** After this time another key encrypts. */
const LIFE_MS = 12 * HOUR_MS;
/** OpenSSL accepts a ticket for two hours. Old keys encrypt a little longer, until all processes know the new one. */
const TICKET_LIFE_MS = 2 * HOUR_MS + MINUTE_MS;

export class TicketKeys {
  readonly #now: () => number;
  #ring: TicketRing;
  #madeAt: number;

  /** @param now  milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now;
    this.#ring = [randomBytes(TICKET_KEY_BYTES)];
    this.#madeAt = now();
  }

  /** The same object until a key is new or was dropped. */
  get current(): TicketRing {
    const age = this.#now() - this.#madeAt;
    if (age >= LIFE_MS) {
      this.#ring = [randomBytes(TICKET_KEY_BYTES), ...this.#ring.slice(0, 1)];
      this.#madeAt = this.#now();
    } else if (age >= TICKET_LIFE_MS && this.#ring.length > 1) {
      this.#ring = this.#ring.slice(0, 1);
    }
    return this.#ring;
  }
}
