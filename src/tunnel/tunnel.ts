/**
 * Joins two transports: bytes from the front go to the back, and the reverse.
 *
 * The two directions are independent. If one side takes bytes more slowly than the other sends them, the other is
 * paused. The end of one direction is passed on, and the other direction continues. Any other close of a side cuts the
 * other side too, so that a partial transfer does not look complete.
 */
import { type Bytes, bytes, type Milliseconds } from "../base/units.ts";
import type { ByteStream, TransportEvents } from "../transport/transport.ts";

type TunnelSide = "front" | "back";

export type TunnelEnding =
  /** Both directions ended in good order. */
  | { readonly kind: "ended" }
  | { readonly kind: "lost"; readonly side: TunnelSide }
  | { readonly kind: "idle" }
  /** `destroy` was called, or a side sent more after `endIfQuiet` had ended both. */
  | { readonly kind: "destroyed" };

export interface TunnelContext {
  /** Limit without progress in either direction; infinite for none. */
  readonly idleTimeout: Milliseconds;
  /** Called once, when both sides are closed. Must not throw. */
  onGone(tunnel: Tunnel, ending: TunnelEnding): void;
  /** Called with what a tunnel threw; that tunnel is cut. */
  onFault(fault: unknown): void;
}

export class Tunnel {
  readonly #front: Side;
  #back: Side | undefined;
  readonly #context: TunnelContext;
  #fromFront = 0;
  #fromBack = 0;
  /** Bytes from the front before the back was reached. */
  #early: Buffer[] | undefined;
  /** Why a side was cut; undefined before. */
  #ending: TunnelEnding | undefined;
  /** The last bytes came from the back: no request waits for an answer. */
  #isAnswered = true;
  /** `endIfQuiet` has ended both sides. */
  #isQuit = false;
  #isGone = false;
  /** Time of the last progress seen, and `#moved` at that time. */
  #movedAt: Milliseconds;
  #lastMoved = 0;

  /** Owns the front from now on, and pauses it until the back joins. @param now  on the monotonic clock */
  constructor(front: ByteStream, context: TunnelContext, now: Milliseconds) {
    this.#context = context;
    this.#movedAt = now;
    this.#front = new Side(front, this, "front");
    front.start(this.#front, context.onFault);
    front.pause();
  }

  /** Owns the back from now on; any preamble is already written. Not after the front is lost. */
  join(back: ByteStream, now: Milliseconds): void {
    const side = new Side(back, this, "back");
    this.#back = side;
    this.#movedAt = now;
    back.start(side, this.#context.onFault);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const chunk of early) back.pass(chunk);
    if (this.#front.peerHasEnded) back.end();
    this.#front.stream.resume();
  }

  /** Bytes read from the front, whether or not the back has them all. */
  get fromFront(): Bytes {
    return bytes(this.#fromFront);
  }

  /** The same from the back. */
  get fromBack(): Bytes {
    return bytes(this.#fromBack);
  }

  /** Bytes that wait to be written, both directions. */
  get unsent(): Bytes {
    return bytes(this.#front.stream.unsent + (this.#back?.stream.unsent ?? 0));
  }

  /** Cuts the tunnel after the idle timeout. Call it periodically: the timeout is late by at most the interval. */
  sweep(now: Milliseconds): void {
    if (this.#quietSince(now) >= this.#context.idleTimeout) this.#cut({ kind: "idle" });
  }

  /**
   * Ends both sides in good order after `quietFor` without progress, if nothing waits to be written and no answer is
   * due. The tunnel is gone when both peers have ended too. A peer that sends more is cut, and so is one that has not
   * ended after the same time again. Call it periodically.
   */
  endIfQuiet(now: Milliseconds, quietFor: Milliseconds): void {
    const quiet = this.#quietSince(now);
    if (this.#isQuit && quiet >= 2 * quietFor) this.#cut({ kind: "idle" });
    if (quiet < quietFor || this.unsent > 0 || !this.#isAnswered || this.#isQuit) return;
    this.#isQuit = true;
    this.#front.stream.end();
    this.#back?.stream.end();
  }

  /** Cuts both sides now; `onGone` follows. */
  destroy(): void {
    this.#cut({ kind: "destroyed" });
  }

  // ---- called by the sides

  onBytes(from: Side, chunk: Buffer): void {
    this.#isAnswered = from.name === "back";
    if (this.#isAnswered) this.#fromBack += chunk.length;
    else this.#fromFront += chunk.length;
    if (this.#isQuit) {
      this.destroy();
      return;
    }
    const to = this.#otherOf(from);
    if (to !== undefined) {
      if (!to.stream.pass(chunk)) from.stream.pause();
    } else {
      this.#early ??= [];
      this.#early.push(Buffer.from(chunk));
    }
  }

  onEnd(from: Side): void {
    this.#otherOf(from)?.stream.end();
  }

  onDrained(to: Side): void {
    this.#otherOf(to)?.stream.resume();
  }

  onClosed(side: Side, isWhole: boolean): void {
    // An end that arrives after ours is reported only by the close.
    if (isWhole && !side.peerHasEnded) this.#otherOf(side)?.stream.end();
    if (!isWhole) this.#cut({ kind: "lost", side: side.name });
    if (this.#isGone || !this.#front.isClosed || this.#back?.isClosed === false) return;
    this.#isGone = true;
    this.#context.onGone(this, this.#ending ?? { kind: "ended" });
  }

  #cut(ending: TunnelEnding): void {
    this.#ending ??= ending;
    this.#front.stream.cut();
    this.#back?.stream.cut();
  }

  /** Time since the last progress seen. */
  #quietSince(now: Milliseconds): number {
    const moved = this.#moved;
    if (moved !== this.#lastMoved) {
      this.#lastMoved = moved;
      this.#movedAt = now;
    }
    return now - this.#movedAt;
  }

  /** Grows with each byte in, and again with each byte out: so a slow tunnel is not idle. */
  get #moved(): number {
    return 2 * (this.#fromFront + this.#fromBack) - this.unsent;
  }

  #otherOf(side: Side): Side | undefined {
    return side === this.#front ? this.#back : this.#front;
  }
}

/** One side; adds itself to each event for the tunnel. */
class Side implements TransportEvents {
  readonly stream: ByteStream;
  readonly name: TunnelSide;
  readonly #tunnel: Tunnel;
  peerHasEnded = false;
  isClosed = false;

  constructor(stream: ByteStream, tunnel: Tunnel, name: TunnelSide) {
    this.stream = stream;
    this.#tunnel = tunnel;
    this.name = name;
  }

  onBytes(chunk: Buffer): void {
    this.#tunnel.onBytes(this, chunk);
  }

  onEnd(): void {
    this.peerHasEnded = true;
    this.#tunnel.onEnd(this);
  }

  onDrained(): void {
    this.#tunnel.onDrained(this);
  }

  onClosed(isWhole: boolean): void {
    this.isClosed = true;
    this.#tunnel.onClosed(this, isWhole);
  }
}
