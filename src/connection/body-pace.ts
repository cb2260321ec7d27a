/**
 * Whether a request body arrives fast enough: no pause as long as `body-timeout`, and, after the first `body-timeout`,
 * `body-rate` bytes per second over the whole body. Only the time in which a handler waits for bytes counts.
 */
import type { Bytes, Milliseconds } from "../base/units.ts";
import type { Reason } from "../http/reason.ts";

export interface PaceLimits {
  /** Without a byte of the body. */
  readonly bodyTimeout: Milliseconds;
  /** Per second, over the whole body; 0 for no limit. */
  readonly bodyRate: Bytes;
}

export class BodyPace {
  readonly #limits: PaceLimits;
  #received = 0;
  /** In all earlier waits. */
  #waited = 0;
  #waitingSince: Milliseconds | undefined;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** A handler waits for the next bytes. */
  wait(now: Milliseconds): void {
    this.#waitingSince ??= now;
  }

  /** Bytes have arrived; call `wait` again if the handler needs more. */
  receive(count: number, now: Milliseconds): void {
    this.#received += count;
    if (this.#waitingSince === undefined) return;
    this.#waited += now - this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** Why the body is too slow now; undefined if it is not. */
  faultAt(now: Milliseconds): Reason | undefined {
    if (this.#waitingSince === undefined) return undefined;
    const { bodyTimeout, bodyRate } = this.#limits;
    const pause = now - this.#waitingSince;
    if (pause >= bodyTimeout) return "body-timeout";
    if (bodyRate === 0) return undefined;
    const allowed = bodyTimeout + (this.#received / bodyRate) * 1000;
    return this.#waited + pause >= allowed ? "body-too-slow" : undefined;
  }
}
