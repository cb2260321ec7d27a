/**
 * Two byte streams joined one to one: what comes from the front goes to the back, and the other way round.
 *
 * Each way is for itself. Where one side takes bytes more slowly than the other sends them, the other is not read
 * meanwhile. An end is passed on as an end, and the other way goes on until it ends too. Whatever else closes a side cuts the
 * other, so that nobody takes a part for the whole: a TCP connection is reset, TLS ends without close_notify (RFC 8446
 * §6.1). How bytes are read and written is left to the two ends: on libuv's handles where that is possible, else on
 * streams.
 */
import { type Bytes, bytes, type Milliseconds } from "../base/units.ts";
import type { SplicedSocket, SpliceEnd, SpliceEvents } from "./splice-end.ts";
import { SpliceHandleEnd, takeableHandle } from "./splice-handle-end.ts";
import type { SpliceKit } from "./splice-kit.ts";
import { SpliceStreamEnd } from "./splice-stream-end.ts";

type SpliceSide = "front" | "back";

export type SpliceEnding =
  /** Both ways ended in good order. */
  | { readonly kind: "ended" }
  /** `side` was lost. `code`: such as `ECONNRESET`; undefined where it was closed without an error. */
  | { readonly kind: "lost"; readonly side: SpliceSide; readonly code: string | undefined }
  | { readonly kind: "idle" }
  /** `destroy` was called, or a side went on to send after `endIfQuiet` had ended both. */
  | { readonly kind: "destroyed" };

/** What all splices of a process share. */
export interface SpliceContext {
  /**
   * One way is not read on while more than this waits to be written. Reads that were under way come on top of it: no more
   * than 64 KiB on TCP, and a TLS record more on TLS. No less than the high-water mark of a stream has effect, and on handles
   * no more than 64 KiB.
   */
  readonly maxUnsent: Bytes;
  /** How long nothing may move in either way; infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  /** What it takes to use handles (`probeSplice` finds out); undefined for streams. */
  readonly kit?: SpliceKit | undefined;
  /** Told once, when both sides are closed. Must not throw. */
  onGone(splice: Splice, ending: SpliceEnding): void;
}

export class Splice implements SpliceEvents {
  readonly #front: SpliceEnd;
  readonly #back: SpliceEnd;
  readonly #context: SpliceContext;
  #fromFront = 0;
  #fromBack = 0;
  /** Why one side was cut, once one was. */
  #ending: SpliceEnding | undefined;
  /** Of the two who speak with each other the back has said the last word, or nobody has said any. */
  #isAnswered = true;
  /** `endIfQuiet` has ended both sides. */
  #isQuit = false;
  #isGone = false;
  /** When something was last seen to move, and what `#moved` was then. */
  #movedAt: Milliseconds;
  #lastMoved: number;

  /**
   * Takes over both sockets, which nobody else reads, writes or closes from now on. Both must have been opened with
   * `allowHalfOpen`, and should have no delay (`setNoDelay`); TLS must have finished its handshake. Bytes may wait
   * already. A side that still connects is served on streams.
   *
   * @param now  on the monotonic clock
   */
  constructor(front: SplicedSocket, back: SplicedSocket, context: SpliceContext, now: Milliseconds) {
    this.#context = context;
    [this.#front, this.#back] = openEnds(front, back, this, context);
    this.#movedAt = now;
    this.#lastMoved = this.#moved;
    this.#front.start();
    this.#back.start();
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
    return bytes(this.#front.unsent + this.#back.unsent);
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
    this.#front.end();
    this.#back.end();
  }

  /** Cuts both sides now; `onGone` follows. */
  destroy(): void {
    this.#cut({ kind: "destroyed" });
  }

  // ---- what the ends tell us

  onBytes(from: SpliceEnd, chunk: Uint8Array): void {
    this.#isAnswered = from === this.#back;
    if (this.#isAnswered) this.#fromBack += chunk.length;
    else this.#fromFront += chunk.length;
    if (this.#isQuit) this.destroy();
    else if (!this.#otherOf(from).write(chunk)) from.pause();
  }

  onDrained(to: SpliceEnd): void {
    this.#otherOf(to).resume();
  }

  onEnd(from: SpliceEnd): void {
    this.#otherOf(from).end();
  }

  onLost(end: SpliceEnd, code: string | undefined): void {
    this.#cut({ kind: "lost", side: end === this.#front ? "front" : "back", code });
  }

  onClosed(): void {
    if (this.#isGone || !this.#front.isClosed || !this.#back.isClosed) return;
    this.#isGone = true;
    this.#context.onGone(this, this.#ending ?? { kind: "ended" });
  }

  #cut(ending: SpliceEnding): void {
    this.#ending ??= ending;
    this.#front.cut();
    this.#back.cut();
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

  #otherOf(end: SpliceEnd): SpliceEnd {
    return end === this.#front ? this.#back : this.#front;
  }
}

function openEnds(
  front: SplicedSocket,
  back: SplicedSocket,
  events: SpliceEvents,
  { kit, maxUnsent }: SpliceContext,
): readonly [SpliceEnd, SpliceEnd] {
  const frontHandle = kit && takeableHandle(front);
  const backHandle = kit && takeableHandle(back);
  // Of one kind: a stream keeps what it is given to write, a handle gives only for a moment what it has read.
  if (kit === undefined || frontHandle === undefined || backHandle === undefined) {
    return [new SpliceStreamEnd(front, events, maxUnsent), new SpliceStreamEnd(back, events, maxUnsent)];
  }
  return [
    new SpliceHandleEnd(front, frontHandle, events, kit, maxUnsent),
    new SpliceHandleEnd(back, backHandle, events, kit, maxUnsent),
  ];
}
