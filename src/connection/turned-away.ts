/**
 * Clients beyond a limit. Each gets one answer, which costs neither a parser nor a request, and its connection closes in
 * good order: what the client sends is dropped until it closes too, or its time is up. A close before would make the
 * kernel reset the connection, and the client would lose the answer (RFC 9112 §9.6).
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";
import type { AcceptedTransport, TransportEvents } from "../transport/transport.ts";

/** Connections that wait for their client's end. Beyond it the one that has waited longest closes. */
const MAX_TURNED_AWAY = 64;
const LINGER_TIME = milliseconds(1000);
const MAX_DROPPED_BYTES = 64 * 1024;

interface Leaving {
  readonly transport: AcceptedTransport;
  readonly deadline: Milliseconds;
}

export class TurnedAway {
  readonly #onFault: (fault: unknown) => void;
  /** Called when the last one is gone. */
  readonly #onEmpty: () => void;
  /** In order of arrival. */
  readonly #leaving = new Set<Leaving>();

  constructor(onFault: (fault: unknown) => void, onEmpty: () => void) {
    this.#onFault = onFault;
    this.#onEmpty = onEmpty;
  }

  get count(): number {
    return this.#leaving.size;
  }

  /** @param answer  must not change any more */
  add(transport: AcceptedTransport, answer: Uint8Array, now: Milliseconds): void {
    const [longest] = this.#leaving;
    if (longest !== undefined && this.#leaving.size >= MAX_TURNED_AWAY) this.#remove(longest);
    const leaving = { transport, deadline: milliseconds(now + LINGER_TIME) };
    this.#leaving.add(leaving);
    transport.start(this.#eventsOf(leaving), this.#onFault);
    transport.write(answer);
    transport.end();
  }

  sweep(now: Milliseconds): void {
    for (const leaving of this.#leaving) {
      if (now < leaving.deadline) return;
      this.#remove(leaving);
    }
  }

  destroyAll(): void {
    for (const leaving of this.#leaving) this.#remove(leaving);
  }

  #remove(leaving: Leaving): void {
    this.#forget(leaving);
    leaving.transport.destroy();
  }

  #forget(leaving: Leaving): void {
    if (this.#leaving.delete(leaving) && this.#leaving.size === 0) this.#onEmpty();
  }

  #eventsOf(leaving: Leaving): TransportEvents {
    let left = MAX_DROPPED_BYTES;
    return {
      onBytes: (chunk) => {
        left -= chunk.length;
        if (left < 0) this.#remove(leaving);
      },
      onEnd: () => undefined,
      onDrained: () => undefined,
      onClosed: () => this.#forget(leaving),
    };
  }
}
