/**
 * How busy the task pool is, and what the event log says: a line when tasks begin to wait, when the first task is
 * rejected, and when that is over. Never a line per task.
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";

export interface PoolState {
  /** Most threads. */
  readonly threads: number;
  /** Tasks that run. */
  readonly active: number;
  /** Most tasks that may wait. */
  readonly queue: number;
  readonly waiting: number;
  /** Places reserved for tasks whose input is still arriving. */
  readonly reserved: number;
}

/** Whether one more task would be accepted. */
export function hasRoom({ threads, active, queue, waiting, reserved }: PoolState): boolean {
  return active + waiting + reserved < threads + queue;
}

/** Whether a place may be reserved for a task whose input is still arriving: never more than half of all. */
export function mayReserve(state: PoolState): boolean {
  return hasRoom(state) && state.reserved < Math.floor((state.threads + state.queue) / 2);
}

/** Green: a thread is free. Yellow: all are busy. Red: the next task is rejected. */
export function formatPoolStatus(state: PoolState): string {
  const { threads, active, queue, waiting } = state;
  return `${lightFor(state)} Thread pool: ${active}/${threads} active | Queue: ${waiting}/${queue}`;
}

function lightFor(state: PoolState): string {
  if (!hasRoom(state)) return "🔴";
  return state.active >= state.threads || state.waiting > 0 ? "🟡" : "🟢";
}

/** Whether the state deserves a line: while there is work, and once when that is over. */
export function isStatusNews(state: PoolState, printedBefore: PoolState | undefined): boolean {
  return isBusy(state) || (printedBefore !== undefined && isBusy(printedBefore));
}

function isBusy({ active, waiting }: PoolState): boolean {
  return active > 0 || waiting > 0;
}

export interface PoolEvents {
  error(text: string, cause?: unknown): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
}

/** A thread must be free and the queue empty for this time: otherwise a pool at its limit would report all the time. */
const CALM_TIME = milliseconds(2000);

type Phase =
  | { readonly kind: "calm" }
  /** `end` runs while there is nothing to wait for. */
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

  /** Called for each task that begins, ends or waits. */
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

  /** Called for each task that finds the queue full. */
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
