/**
 * The finished bytes of a response that is sent again and again: head and body in one buffer, so that one write sends it.
 *
 * Made anew when the Date field must change, never patched in place: an older buffer may still wait in the kernel's queue.
 */
import type { UnixSeconds } from "../base/units.ts";

export class MessageMemo {
  #second: UnixSeconds | undefined;
  #askedAt: UnixSeconds | undefined;
  #message: Uint8Array | undefined;
  readonly #onMade: (message: Uint8Array) => void;

  /** @param onMade  is told of each message that is kept from now on */
  constructor(onMade: (message: Uint8Array) => void = () => undefined) {
    this.#onMade = onMade;
  }

  /** The finished message, or undefined when there is none for that second. */
  at(second: UnixSeconds): Uint8Array | undefined {
    return this.#second === second ? this.#message : undefined;
  }

  /** Whether this was asked for that second before: only then is it worth keeping a message. */
  isAskedAgain(second: UnixSeconds): boolean {
    const isAgain = this.#askedAt === second;
    this.#askedAt = second;
    return isAgain;
  }

  keep(second: UnixSeconds, message: Uint8Array): void {
    this.#second = second;
    this.#message = message;
    this.#onMade(message);
  }
}
