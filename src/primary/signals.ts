/**
 * The signals of the primary process, in order of arrival. Handlers are set first and stay: without one a signal would
 * end the process, and USR1 would open Node's debugger port.
 */
import { closeSync, openSync } from "node:fs";
import { usesTerminal } from "../control/terminal.ts";

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
const OTHER_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
export type SignalName = (typeof STOP_SIGNALS)[number] | (typeof OTHER_SIGNALS)[number];

export class Signals {
  readonly #waiting: SignalName[] = [];
  readonly #hadTerminal = usesTerminal() && hasTerminal();
  #wake: () => void = () => undefined;
  #stopped: (signal: SignalName) => void = () => undefined;
  #interrupted: () => void = () => undefined;

  constructor() {
    for (const signal of [...STOP_SIGNALS, ...OTHER_SIGNALS]) process.on(signal, () => this.#arrive(signal));
  }

  /** Resolves with the next unhandled signal. */
  async next(): Promise<SignalName> {
    for (;;) {
      const signal = this.#waiting.shift();
      if (signal !== undefined) return signal;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves with the first stop signal, also one that has already arrived; `next` still returns it. */
  untilStop(): Promise<SignalName> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      const signal = this.#waiting.find(isStop);
      if (signal !== undefined) resolve(signal);
    });
  }

  /** Called at each later SIGINT. */
  onInterrupt(act: () => void): void {
    this.#interrupted = act;
  }

  /**
   * True when the terminal of the start is gone: then SIGHUP stops the server. A server that uses none, as under nohup(1),
   * has lost nothing. (Node itself makes nohup's SIGHUP deadly again: that it was ignored cannot be seen.)
   */
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

/** /dev/tty is the terminal of this session; open fails without one. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
