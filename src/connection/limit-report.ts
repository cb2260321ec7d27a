/**
 * What the event log says while connections are refused at a limit: a line when that begins, their number each minute,
 * and a line when it is over. Never a line per connection.
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";

const INTERVAL = milliseconds(60_000);
/** Without a refusal for this time it is over: a server at its limit would otherwise report all the time. */
const CALM_TIME = milliseconds(10_000);

export interface LimitEvents {
  warn(text: string): void;
  info(text: string): void;
}

type Phase =
  | { readonly kind: "calm" }
  | { readonly kind: "refusing"; refused: number; reported: number; reportAt: Milliseconds; calmAt: Milliseconds };

const CALM: Phase = { kind: "calm" };

export class LimitReport {
  readonly #option: string;
  readonly #events: LimitEvents;
  #phase: Phase = CALM;

  /** @param option  the name of the limit */
  constructor(option: string, events: LimitEvents) {
    this.#option = option;
    this.#events = events;
  }

  get isCalm(): boolean {
    return this.#phase.kind === "calm";
  }

  /** @param full  what is used up, such as "all 100 connections are open" */
  refused(full: string, now: Milliseconds): void {
    if (this.#phase.kind === "calm") {
      this.#events.warn(`${full} (${this.#option}): answering further ones 503`);
      const reportAt = milliseconds(now + INTERVAL);
      this.#phase = { kind: "refusing", refused: 0, reported: 0, reportAt, calmAt: now };
    }
    this.#phase.refused += 1;
    this.#phase.calmAt = milliseconds(now + CALM_TIME);
  }

  sweep(now: Milliseconds): void {
    const phase = this.#phase;
    if (phase.kind === "calm") return;
    if (now >= phase.calmAt) {
      this.#events.info(`${this.#option}: connections are accepted again; answered 503 meanwhile: ${phase.refused}`);
      this.#phase = CALM;
    } else if (now >= phase.reportAt) {
      this.#events.warn(
        `${this.#option}: ${phase.refused - phase.reported} connections answered 503 in the last minute`,
      );
      phase.reported = phase.refused;
      phase.reportAt = milliseconds(now + INTERVAL);
    }
  }
}
