/**
 * The signals of the primary process, in the order of their coming. Handlers are there from the first moment and stay: a
 * signal without one would end the process by its default action, and USR1 would open Node's port for debuggers.
 */
import { closeSync, openSync } from "node:fs";

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
const OTHER_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
export type SignalName = (typeof STOP_SIGNALS)[number] | (typeof OTHER_SIGNALS)[number];

export class Signals {
  readonly #waiting: SignalName[] = [];
  readonly #hadTerminal = hasTerminal();
  #wake: () => void = () => undefined;
  #stopped: (signal: SignalName) => void = () => undefined;
  #interrupted: () => void = () => undefined;

  constructor() {
    for (const signal of [...STOP_SIGNALS, ...OTHER_SIGNALS]) process.on(signal, () => this.#arrive(signal));
  }

  /** Resolves with the next one that nobody has been told of. */
  async next(): Promise<SignalName> {
    for (;;) {
      const signal = this.#waiting.shift();
      if (signal !== undefined) return signal;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves at once when a signal to stop has come already. It is left for `next`. */
  untilStop(): Promise<SignalName> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      const signal = this.#waiting.find(isStop);
      if (signal !== undefined) resolve(signal);
    });
  }

  /** From now on, called at each SIGINT. */
  onInterrupt(act: () => void): void {
    this.#interrupted = act;
  }

  /** Whether there was a terminal that could be reached, and is none now: then SIGHUP has its oldest meaning. */
  hasLostTerminal(): boolean {
    return this.#hadTerminal && !hasTerminal();
  }

  #arrive(signal: SignalName): void {
    if (isStop(signal)) this.#stopped(signal);
    if (signal === "SIGINT") this.#interrupted();
    this.#waiting.push(signal);
    this.#wake();
  }
}

function isStop(signal: SignalName): boolean {
  return STOP_SIGNALS.some((each) => each === signal);
}

/** /dev/tty is the terminal of this very session; without one it cannot be opened. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
