/** Reports refusals, such as attempts to leave the root, to the event log: some each second, then only their number. */
import type { Clock } from "../base/clock.ts";
import { toUnixSeconds, type UnixSeconds, unixSeconds } from "../base/units.ts";

const REPORTS_PER_SECOND = 10;

export class RefusalReport {
  readonly #clock: Clock;
  readonly #say: (text: string) => void;
  #second: UnixSeconds = unixSeconds(0);
  #count = 0;

  constructor(clock: Clock, say: (text: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  add(text: string): void {
    const second = toUnixSeconds(this.#clock.wall());
    if (second !== this.#second) {
      const hidden = this.#count - REPORTS_PER_SECOND;
      if (hidden > 0) this.#say(`${hidden} more refusals like these within that second`);
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= REPORTS_PER_SECOND) this.#say(text);
  }
}
