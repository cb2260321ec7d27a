/**
 * What the event log hears of a pool that has more to do than threads: a line when that begins, one when the first task
 * is refused, and one when it is over. Never a line for each task.
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";
import type { PoolState } from "./pool-status.ts";

/** As much of the event log as the pool needs. */
export interface PoolEvents {
  error(text: string, cause?: unknown): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
}

/** For so long a thread must have been free and the queue empty: a pool at its limit would else tell it every moment. */
const CALM_TIME = milliseconds(2000);

type Phase =
  | { readonly kind: "calm" }
  /** `end` is under way while there is nothing to wait for. */
  | { readonly kind: "overloaded"; refused: number; end: NodeJS.Timeout | undefined };

const CALM: Phase = { kind: "calm" };

export class OverloadReport {
  readonly #events: PoolEvents;
  readonly #calmTime: Milliseconds;
  #phase: Phase = CALM;

  constructor(events: PoolEvents, calmTime: Milliseconds = CALM_TIME) {
    this.#events = events;
    this.#calmTime = calmTime;
  }

  /** To be told of each task that begins, ends, or waits. */
  changed(state: PoolState): void {
    if (state.waiting > 0) {
      if (this.#phase.kind === "calm") {
        this.#events.warn(`all ${state.threads} workers are busy: tasks wait in the queue`);
      }
      this.#begin();
    } else if (state.active < state.threads && this.#phase.kind === "overloaded") {
      this.#phase.end ??= setTimeout(() => this.#end(), this.#calmTime).unref();
    }
  }

  /** To be told of each task that finds the queue full. */
  refused(state: PoolState): void {
    const phase = this.#begin();
    if (phase.refused === 0) this.#events.warn(`${describeFull(state)}: answering 503`);
    phase.refused += 1;
  }

  #begin(): Extract<Phase, { kind: "overloaded" }> {
    if (this.#phase.kind === "calm") this.#phase = { kind: "overloaded", refused: 0, end: undefined };
    clearTimeout(this.#phase.end);
    this.#phase.end = undefined;
    return this.#phase;
  }

  #end(): void {
    const refused = this.#phase.kind === "overloaded" ? this.#phase.refused : 0;
    this.#phase = CALM;
    this.#events.info(`workers have caught up${refused === 0 ? "" : `; refused meanwhile: ${refused}`}`);
  }
}

function describeFull({ threads, queue, waiting }: PoolState): string {
  return queue === 0 ? `all ${threads} workers are busy` : `queue is full (${waiting} waiting)`;
}
