/**
 * Where time comes from: the clocks, and the turns of the event loop.
 */
import { type Milliseconds, milliseconds, type UnixMilliseconds, unixMilliseconds } from "./units.ts";

/** Where time comes from; a test passes one that it moves by hand. */
export interface Clock {
  /** The wall clock: for dates that people and protocols read. May jump. */
  wall(): UnixMilliseconds;
  /** Never goes back: for deadlines and durations. */
  monotonic(): Milliseconds;
}

export const systemClock: Clock = {
  wall: () => unixMilliseconds(Date.now()),
  monotonic: () => milliseconds(performance.now()),
};

/** Which turn of the event loop this is: lets many requests that arrive together share one look at the disk. */
export interface LoopTurn {
  /** Equal numbers were asked for in one turn; the number itself says nothing. */
  current(): number;
}

/** Costs one immediate callback in each turn in which it is asked, and nothing in any other. */
export class EventLoopTurn implements LoopTurn {
  #number = 0;
  #endIsScheduled = false;

  current(): number {
    if (!this.#endIsScheduled) {
      this.#endIsScheduled = true;
      setImmediate(() => {
        this.#endIsScheduled = false;
        this.#number += 1;
      });
    }
    return this.#number;
  }
}
