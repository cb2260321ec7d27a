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
