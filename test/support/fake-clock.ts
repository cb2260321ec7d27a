/**
 * A clock that stands still until a test moves it.
 */
import type { Clock } from "../../src/base/clock.ts";
import { type Milliseconds, milliseconds, type UnixMilliseconds, unixMilliseconds } from "../../src/base/units.ts";

/** `Fri, 15 Mar 2024 10:30:00 GMT` */
const START = Date.UTC(2024, 2, 15, 10, 30, 0);

export class FakeClock implements Clock {
  #elapsed = 0;
  #wallOffset = START;

  wall(): UnixMilliseconds {
    return unixMilliseconds(this.#wallOffset + this.#elapsed);
  }

  monotonic(): Milliseconds {
    return milliseconds(this.#elapsed);
  }

  advance(time: number): void {
    this.#elapsed += time;
  }

  /** Somebody sets the wall clock; the monotonic one knows nothing of it. */
  jumpWall(time: number): void {
    this.#wallOffset += time;
  }
}
