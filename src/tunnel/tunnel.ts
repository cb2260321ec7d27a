/**
 * Two transports joined one to one: what comes from the front goes to the back, and the other way round.
 *
 * Each way is for itself. Where one side takes bytes more slowly than the other sends them, the other is not read
 * meanwhile. An end is passed on as an end, and the other way goes on until it ends too. Whatever else closes a side cuts the
 * other, so that nobody takes a part for the whole.
 */
import { type Bytes, bytes, type Milliseconds } from "../base/units.ts";
import type { ByteStream, TransportEvents } from "../transport/transport.ts";

type TunnelSide = "front" | "back";

export type TunnelEnding =
  /** Both ways ended in good order. */
  | { readonly kind: "ended" }
  | { readonly kind: "lost"; readonly side: TunnelSide }
  | { readonly kind: "idle" }
  /** `destroy` was called, or a side went on to send after `endIfQuiet` had ended both. */
  | { readonly kind: "destroyed" };

/** What all tunnels of a process share. */
export interface TunnelContext {
  /** How long nothing may move in either way; infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  /** Told once, when both sides are closed. Must not throw. */
  onGone(tunnel: Tunnel, ending: TunnelEnding): void;
  /** Told what a tunnel threw, which is cut then. */
  onFault(fault: unknown): void;
}

export class Tunnel {
  readonly #front: Side;
  #back: Side | undefined;
  readonly #context: TunnelContext;
  #fromFront = 0;
  #fromBack = 0;
  /** What the front has sent before the back was reached. */
  #early: Buffer[] | undefined;
  /** Why one side was cut, once one was. */
  #ending: TunnelEnding | undefined;
  /** True if the last bytes came from the back: no question waits for an answer. */
  #isAnswered = true;
  /** `endIfQuiet` has ended both sides. */
  #isQuit = false;
  #isGone = false;
  /** When something was last seen to move, and what `#moved` was then. */
  #movedAt: Milliseconds;
  #lastMoved = 0;

  /**
   * Takes the front over, which is not read on before the back is joined.
   *
   * @param now  on the monotonic clock
   */
  constructor(front: ByteStream, context: TunnelContext, now: Milliseconds) {
    this.#context = context;
    this.#movedAt = now;
    this.#front = new Side(front, this, "front");
    front.start(this.#front, context.onFault);
    front.pause();
  }

  /** Takes the back over, which has nothing to be told. Not after the front is lost. */
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

  /** What waits to be written, both ways. */
  get unsent(): Bytes {
    return bytes(this.#front.stream.unsent + (this.#back?.stream.unsent ?? 0));
  }

  /** Ends what was idle for too long. To be called now and then: a time-out is late by at most the time between two calls. */
  sweep(now: Milliseconds): void {
    if (this.#quietSince(now) >= this.#context.idleTimeout) this.#cut({ kind: "idle" });
  }

  /**
   * Ends both sides in good order where nothing has moved for `quietFor`, and nothing waits to be written, nor the front for an
   * answer. It is gone when both peers have ended too; one that sends more instead is cut, and so is one that has not ended
   * after the same time again. To be called now and then.
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

  // ---- what the sides tell us

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
    // An end that comes after ours is told by the close alone.
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

  /** How long nothing has been seen to move. */
  #quietSince(now: Milliseconds): number {
    const moved = this.#moved;
    if (moved !== this.#lastMoved) {
      this.#lastMoved = moved;
      this.#movedAt = now;
    }
    return now - this.#movedAt;
  }

  /** Grows whenever a byte comes in, and again when it has gone out: so nothing is idle that is only slow. */
  get #moved(): number {
    return 2 * (this.#fromFront + this.#fromBack) - this.unsent;
  }

  #otherOf(side: Side): Side | undefined {
    return side === this.#front ? this.#back : this.#front;
  }
}

/** One of the two, which tells the tunnel that it was this one. */
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
