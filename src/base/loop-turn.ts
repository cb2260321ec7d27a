/**
 * Which turn of the event loop this is: lets many requests that arrive together share one look at the disk.
 */
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
