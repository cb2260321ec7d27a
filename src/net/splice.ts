/**
 * Two byte streams joined one to one: what comes from the front goes to the back, and the other way round.
 *
 * Each way is for itself. Where one side takes bytes more slowly than the other sends them, the other is not read
 * meanwhile. An end is passed on as an end, and the other way goes on until it ends too. Whatever else closes a side cuts the
 * other, so that nobody takes a part for the whole: a TCP connection is reset, TLS ends without close_notify (RFC 8446
 * §6.1). What carries TLS is left to the streams.
 */
import type { Socket } from "node:net";
import { errorCode } from "../base/errors.ts";
import { type Bytes, bytes, type Milliseconds } from "../base/units.ts";

export type SpliceSide = "front" | "back";

export type SpliceEnding =
  /** Both ways ended in good order. */
  | { readonly kind: "ended" }
  /** `side` was lost. `code`: such as `ECONNRESET`; undefined where it was closed without an error. */
  | { readonly kind: "lost"; readonly side: SpliceSide; readonly code: string | undefined }
  | { readonly kind: "idle" }
  /** `destroy` was called. */
  | { readonly kind: "destroyed" };

/** What all splices of a process share. */
export interface SpliceContext {
  /**
   * One way is not read on while more than this waits to be written. A read that was under way comes on top of it: no more
   * than 64 KiB on TCP. No less than the high-water mark of the stream has effect.
   */
  readonly maxUnsent: Bytes;
  /** How long nothing may move in either way; infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  /** Told once, when both sides are closed. Must not throw. */
  onGone(splice: Splice, ending: SpliceEnding): void;
}

export interface SpliceStart {
  /** On the monotonic clock. */
  readonly now: Milliseconds;
  /** What the back gets before the first byte of the front: a PROXY header. */
  readonly preamble?: Uint8Array;
}

const SPLICE = Symbol("splice");

/** `tls.TLSSocket` is one too, and has `encrypted`. */
export type SplicedSocket = Socket & { readonly encrypted?: boolean; [SPLICE]?: Splice };

export class Splice {
  readonly #front: SplicedSocket;
  readonly #back: SplicedSocket;
  readonly #context: SpliceContext;
  #fromFront = 0;
  #fromBack = 0;
  /** Why one side was cut, once one was. */
  #ending: SpliceEnding | undefined;
  #isGone = false;
  /** When something was last seen to move, and what `#moved` was then. */
  #movedAt: Milliseconds;
  #lastMoved: number;

  /**
   * Takes over both sockets, which nobody else reads, writes or closes from now on. Both must have been opened with
   * `allowHalfOpen`, and should have no delay (`setNoDelay`); their bytes may wait already, and the back may still be connecting.
   */
  constructor(front: SplicedSocket, back: SplicedSocket, context: SpliceContext, { now, preamble }: SpliceStart) {
    this.#front = front;
    this.#back = back;
    this.#context = context;
    if (preamble !== undefined && preamble.length > 0) back.write(preamble);
    this.#movedAt = now;
    this.#lastMoved = this.#moved;
    this.#join(front);
    this.#join(back);
  }

  /** Bytes read from the front, whether or not the back has them all. */
  get fromFront(): Bytes {
    return bytes(this.#fromFront);
  }

  /** The same from the back; the preamble does not count in either. */
  get fromBack(): Bytes {
    return bytes(this.#fromBack);
  }

  /** Ends what was idle for too long. To be called now and then: a time-out is late by at most the time between two calls. */
  sweep(now: Milliseconds): void {
    const moved = this.#moved;
    if (moved !== this.#lastMoved) {
      this.#lastMoved = moved;
      this.#movedAt = now;
    } else if (now - this.#movedAt >= this.#context.idleTimeout) this.#cut({ kind: "idle" });
  }

  /** Ends both sides in good order where nothing has moved for that long, as `sweep` has seen it. */
  endIfQuiet(now: Milliseconds, quietFor: Milliseconds): void {
    if (now - this.#movedAt < quietFor || this.#moved !== this.#lastMoved) return;
    this.#front.end();
    this.#back.end();
  }

  /** Cuts both sides now; `onGone` follows. */
  destroy(): void {
    this.#cut({ kind: "destroyed" });
  }

  // ---- what the sockets tell us

  onData(from: SplicedSocket, chunk: Buffer): void {
    if (from === this.#front) this.#fromFront += chunk.length;
    else this.#fromBack += chunk.length;
    const to = this.#otherOf(from);
    to.write(chunk);
    // What `write` says is decided before the kernel is asked, which mostly takes all of it. Where no `drain` would come,
    // nobody would read on.
    if (to.writableNeedDrain && to.writableLength > this.#context.maxUnsent) from.pause();
  }

  onDrain(to: SplicedSocket): void {
    const from = this.#otherOf(to);
    if (from.isPaused()) from.resume();
  }

  onEnd(from: SplicedSocket): void {
    this.#otherOf(from).end();
  }

  onLost(socket: SplicedSocket, error: unknown): void {
    this.#cut({ kind: "lost", side: this.#sideOf(socket), code: errorCode(error) });
  }

  onClose(socket: SplicedSocket): void {
    const isWhole = socket.readableEnded && socket.writableFinished;
    if (!isWhole) this.onLost(socket, undefined);
    if (this.#isGone || !this.#front.closed || !this.#back.closed) return;
    this.#isGone = true;
    this.#context.onGone(this, this.#ending ?? { kind: "ended" });
  }

  #join(socket: SplicedSocket): void {
    socket[SPLICE] = this;
    socket.on("data", tellData).on("drain", tellDrain).on("end", tellEnd).on("error", tellLost).on("close", tellClose);
    // What has happened before is not told again.
    if (socket.destroyed) queueMicrotask(() => this.#onLostBefore(socket));
    else if (socket.readableEnded) this.onEnd(socket);
    else socket.resume();
  }

  #onLostBefore(socket: SplicedSocket): void {
    this.onLost(socket, undefined);
    this.onClose(socket);
  }

  #cut(ending: SpliceEnding): void {
    this.#ending ??= ending;
    cutSocket(this.#front);
    cutSocket(this.#back);
  }

  /** Grows whenever a byte comes in, and again when it has gone out: so nothing is idle that is only slow. */
  get #moved(): number {
    const unsent = this.#front.writableLength + this.#back.writableLength;
    return 2 * (this.#fromFront + this.#fromBack) - unsent;
  }

  #otherOf(socket: SplicedSocket): SplicedSocket {
    return socket === this.#front ? this.#back : this.#front;
  }

  #sideOf(socket: SplicedSocket): SpliceSide {
    return socket === this.#front ? "front" : "back";
  }
}

// One function for all sockets: five of its own for each would cost a pair of idle connections 1 KiB.

function tellData(this: SplicedSocket, chunk: Buffer): void {
  this[SPLICE]?.onData(this, chunk);
}

function tellDrain(this: SplicedSocket): void {
  this[SPLICE]?.onDrain(this);
}

function tellEnd(this: SplicedSocket): void {
  this[SPLICE]?.onEnd(this);
}

function tellLost(this: SplicedSocket, error: Error): void {
  this[SPLICE]?.onLost(this, error);
}

function tellClose(this: SplicedSocket): void {
  this[SPLICE]?.onClose(this);
}

function cutSocket(socket: SplicedSocket): void {
  if (socket.destroyed) return;
  // Node resets nothing but TCP. A Unix socket, and one that is not connected yet, has no port.
  const isTcp = socket.encrypted !== true && socket.remotePort !== undefined;
  if (isTcp) socket.resetAndDestroy();
  else socket.destroy();
}
