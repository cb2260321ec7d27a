/**
 * The finished bytes of a response that is sent again and again: head and body in one buffer, so that one write sends it.
 *
 * A new second changes 29 octets of it, where it lies: so ten thousand files that are asked for now and then make no
 * garbage. Who hands the bytes to somebody that reads them later must let go of them.
 */
import type { UnixSeconds } from "../base/units.ts";
import { stampDate } from "./response-head.ts";

export class MessageMemo {
  #second: UnixSeconds | undefined = undefined;
  #message: Uint8Array | undefined = undefined;
  readonly #onMade: (message: Uint8Array) => void;

  /** @param onMade  is told of each message that is kept from now on */
  constructor(onMade: (message: Uint8Array) => void = () => undefined) {
    this.#onMade = onMade;
  }

  /** The finished message with the date of that second; undefined when there is none. Valid until the next call. */
  at(second: UnixSeconds): Uint8Array | undefined {
    const message = this.#message;
    if (message !== undefined && this.#second !== second) {
      this.#second = second;
      stampDate(message, second);
    }
    return message;
  }

  /** @param message  formatted for that second; belongs to the memo from now on */
  keep(second: UnixSeconds, message: Uint8Array): void {
    this.#second = second;
    this.#message = message;
    this.#onMade(message);
  }

  /** Somebody still reads the bytes: they are not touched any more, and the next message is made anew. */
  release(): void {
    this.#message = undefined;
  }
}
