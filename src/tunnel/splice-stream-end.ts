/**
 * One side of a splice over Node's streams: for sockets whose handles cannot be had, or not any more, such as one that still
 * connects, has ended or is closed.
 */
import { errorCode } from "../base/errors.ts";
import { type Bytes, bytes } from "../base/units.ts";
import { cutSocket, type SplicedSocket, type SpliceEnd, type SpliceEvents } from "./splice-end.ts";

const END = Symbol("splice end");

type OwnedSocket = SplicedSocket & { [END]?: SpliceStreamEnd };

export class SpliceStreamEnd implements SpliceEnd {
  readonly #socket: OwnedSocket;
  readonly #events: SpliceEvents;
  readonly #maxUnsent: Bytes;

  constructor(socket: SplicedSocket, events: SpliceEvents, maxUnsent: Bytes) {
    this.#socket = socket;
    this.#events = events;
    this.#maxUnsent = maxUnsent;
  }

  start(): void {
    const socket = this.#socket;
    socket[END] = this;
    socket.on("data", tellData).on("drain", tellDrain).on("end", tellEnd).on("error", tellLost).on("close", tellClose);
    // What has happened before is not told again.
    if (socket.destroyed) queueMicrotask(() => this.#onLostBefore());
    else if (socket.readableEnded) this.#events.onEnd(this);
    else socket.resume();
  }

  get unsent(): Bytes {
    return bytes(this.#socket.writableLength);
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  write(chunk: Uint8Array): boolean {
    const socket = this.#socket;
    socket.write(chunk);
    // What `write` says is decided before the kernel is asked, which mostly takes all of it. Where no `drain` would come,
    // nobody would read on.
    return !(socket.writableNeedDrain && socket.writableLength > this.#maxUnsent);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  cut(): void {
    const { writableEnded, writableFinished, writableLength } = this.#socket;
    cutSocket(this.#socket, writableEnded && !writableFinished && writableLength === 0);
  }

  // ---- what the socket tells us

  onData(chunk: Buffer): void {
    this.#events.onBytes(this, chunk);
  }

  onDrain(): void {
    this.#events.onDrained(this);
  }

  onEnd(): void {
    this.#events.onEnd(this);
  }

  onLost(error: unknown): void {
    this.#events.onLost(this, errorCode(error));
  }

  onClose(): void {
    const isWhole = this.#socket.readableEnded && this.#socket.writableFinished;
    if (!isWhole) this.onLost(undefined);
    this.#events.onClosed(this);
  }

  #onLostBefore(): void {
    this.onLost(undefined);
    this.onClose();
  }
}

// One function for all sockets: five of its own for each would cost a pair of idle connections 1 KiB.

function tellData(this: OwnedSocket, chunk: Buffer): void {
  this[END]?.onData(chunk);
}

function tellDrain(this: OwnedSocket): void {
  this[END]?.onDrain();
}

function tellEnd(this: OwnedSocket): void {
  this[END]?.onEnd();
}

function tellLost(this: OwnedSocket, error: Error): void {
  this[END]?.onLost(error);
}

function tellClose(this: OwnedSocket): void {
  this[END]?.onClose();
}
