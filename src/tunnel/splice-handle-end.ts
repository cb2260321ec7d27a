/**
 * One side of a splice on the handle below a socket, which libuv has for TCP and a Unix socket, and Node for TLS: all of a
 * process read into one buffer, and nothing goes through a stream. The socket stays, to be closed and to tell of that.
 * (1 KiB from TLS to TCP and back: 16 microseconds of processor time instead of 20; hitch 1.7 takes 14.5.)
 *
 * TLS seals what it is given at once, into memory of its own; a plain handle keeps what the kernel did not take. TLS stands
 * only one write at a time: a second one would end the process. So here no handle gets another while one is under way.
 */
import { getSystemErrorName } from "node:util";
import { errorCode } from "../base/errors.ts";
import { type Bytes, bytes } from "../base/units.ts";
import { END_OF_FILE, isStreamHandle, type StreamHandle, writeQueueSize } from "../transport/node-internals.ts";
import { cutSocket, type SplicedSocket, type SpliceEnd, type SpliceEvents } from "./splice-end.ts";
import { READ_SIZE, type SpliceKit } from "./splice-kit.ts";

/**
 * After so many reads the others have a turn. libuv reads on as long as there is something to be read, 32 times 64 KiB, which in
 * records of a byte each (TLS) held everybody else up for a third of a second. Full records do not come to so many in one turn.
 */
const READS_IN_A_ROW = 512;

/** What is read is written, or copied, before another handle reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_SIZE);

const END = Symbol("splice end");

type OwnedSocket = SplicedSocket & { [END]?: SpliceHandleEnd };

/** The handle of a socket that is open both ways, and of whose stream nobody expects anything more. */
export function takeableHandle(socket: SplicedSocket): StreamHandle | undefined {
  const isOpen = !socket.destroyed && !socket.connecting && !socket.readableEnded && !socket.writableEnded;
  if (!isOpen || socket.writableLength > 0 || socket.writableCorked > 0) return undefined;
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  return typeof handle === "object" && handle !== null && isStreamHandle(handle) ? handle : undefined;
}

export class SpliceHandleEnd implements SpliceEnd {
  readonly #socket: OwnedSocket;
  readonly #handle: StreamHandle;
  readonly #events: SpliceEvents;
  readonly #kit: SpliceKit;
  readonly #limit: number;
  /** Bytes that were given to the handle in one write, until all of them have left. */
  #underWay = 0;
  /** What came meanwhile. */
  #waiting: Uint8Array[] | undefined;
  #waitingLength = 0;
  #isPaused = false;
  #reads = 0;
  /** It reads on when the others had their turn. */
  #isResting = false;
  /** `end` was called. */
  #hasEnded = false;
  /** The peer has been told so, or will be before it could notice that we are closing. */
  #isShut = false;
  #peerHasEnded = false;
  /** Nothing is told any more but the close. */
  #isOver = false;

  constructor(socket: SplicedSocket, handle: StreamHandle, events: SpliceEvents, kit: SpliceKit, maxUnsent: Bytes) {
    this.#socket = socket;
    this.#handle = handle;
    this.#events = events;
    this.#kit = kit;
    // A read that fills the buffer is waited for: the next one would have to be copied.
    this.#limit = Math.min(maxUnsent, READ_SIZE);
  }

  start(): void {
    const socket = this.#socket;
    socket[END] = this;
    // An end that the stream has seen already comes from there alone.
    socket.on("end", tellEnd).on("error", tellLost).on("close", tellClose);
    if (this.#isOver) return;
    this.#handle.reader = this;
    this.#handle.onread = deliverRead;
    this.#handle.useUserBuffer(READ_BUFFER);
    for (const chunk of readAll(socket)) this.#events.onBytes(this, chunk);
    // The stream may be reading; to begin what goes on already is an error (EALREADY).
    this.#handle.readStop();
    if (!this.#isPaused) this.#readOn();
  }

  get unsent(): Bytes {
    if (this.#underWay === 0) return bytes(0);
    // A write counts until its last byte is gone; what TCP has of it moves while the peer reads.
    return bytes(Math.max(1, writeQueueSize(this.#socket) ?? 0) + this.#waitingLength);
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#hasEnded) return true;
    if (this.#underWay === 0) this.#send(chunk, false);
    else this.#keep(chunk);
    return this.#underWay === 0 || this.#underWay + this.#waitingLength < this.#limit;
  }

  pause(): void {
    if (this.#isOver || this.#isPaused) return;
    this.#isPaused = true;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#isOver || !this.#isPaused) return;
    this.#isPaused = false;
    this.#readOn();
  }

  end(): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#underWay === 0) this.#shut();
  }

  cut(): void {
    this.#isOver = true;
    cutSocket(this.#socket, this.#hasEnded && !this.#isShut && this.#underWay === 0);
  }

  // ---- what libuv tells us; nothing that is thrown may get into its callbacks: it would end the process

  onRead(): void {
    const { streamBaseState, kReadBytesOrError } = this.#kit.internals;
    const count = streamBaseState[kReadBytesOrError] as number;
    if (this.#isOver || count === 0) return;
    try {
      if (count > 0) this.#deliver(count);
      else if (count === END_OF_FILE) this.onPeerEnd();
      else this.#fail(count);
    } catch (fault) {
      this.onError(fault);
    }
  }

  onWritten(status: number): void {
    if (this.#isOver) return;
    try {
      if (status < 0) this.#fail(status);
      else this.#goOn();
    } catch (fault) {
      this.onError(fault);
    }
  }

  // ---- what the socket tells us

  onPeerEnd(): void {
    if (this.#isOver || this.#peerHasEnded) return;
    this.#peerHasEnded = true;
    this.#events.onEnd(this);
    this.#closeWhenWhole();
  }

  onError(error: unknown): void {
    this.#events.onLost(this, errorCode(error));
  }

  onClose(): void {
    this.#isOver = true;
    if (!this.#isShut || !this.#peerHasEnded) this.#events.onLost(this, undefined);
    this.#events.onClosed(this);
  }

  #deliver(count: number): void {
    this.#events.onBytes(this, READ_BUFFER.subarray(0, count));
    this.#reads += 1;
    if (this.#reads % READS_IN_A_ROW !== 0 || this.#isOver || this.#isResting) return;
    this.#isResting = true;
    this.#handle.readStop();
    setImmediate(() => {
      this.#isResting = false;
      if (!this.#isPaused) this.#readOn();
    });
  }

  /** @param isOurs  whether `chunk` stays as it is until it has left */
  #send(chunk: Uint8Array, isOurs: boolean): void {
    const kit = this.#kit;
    const { internals, spareWrite: request } = kit;
    const seals = this.#socket.encrypted === true;
    const kept = seals || isOurs ? chunk : kit.copy(chunk);
    this.#underWay = chunk.length;
    // TLS may tell of a failure before the call returns.
    request.writer = this;
    const status = this.#handle.writeBuffer(request, kept);
    const isTaken = status === 0 && internals.streamBaseState[internals.kLastWriteWasAsync] === 0;
    if (isTaken) {
      this.#underWay = 0;
      return;
    }
    kit.useWrite();
    if (status < 0) this.#fail(status);
    if (seals) return;
    request.chunks = kept;
    if (!isOurs) kit.keep(kept);
  }

  #keep(chunk: Uint8Array): void {
    this.#waiting ??= [];
    this.#waiting.push(Buffer.from(chunk));
    this.#waitingLength += chunk.length;
  }

  /** After a write is finished. */
  #goOn(): void {
    this.#underWay = 0;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      this.#waitingLength = 0;
      this.#send(Buffer.concat(waiting), true);
    }
    if (this.#underWay > 0 || this.#isOver) return;
    if (this.#hasEnded) this.#shut();
    else this.#events.onDrained(this);
  }

  #readOn(): void {
    // After the peer's end there is nothing to read but the same end again.
    if (this.#isOver || this.#peerHasEnded || this.#isResting) return;
    const status = this.#handle.readStart();
    if (status < 0) this.#fail(status);
  }

  #shut(): void {
    const request = new this.#kit.internals.ShutdownWrap();
    request.oncomplete = () => this.#onShut();
    const status = this.#handle.shutdown(request);
    if (status === 0) return;
    // Greater than 0: done already. A connection that is not there any more needs no end: whoever reads it is told why.
    if (status > 0 || getSystemErrorName(status) === "ENOTCONN") this.#onShut();
    else this.#fail(status);
  }

  #onShut(): void {
    this.#isShut = true;
    this.#closeWhenWhole();
  }

  #closeWhenWhole(): void {
    if (this.#isOver || !this.#isShut || !this.#peerHasEnded) return;
    this.#isOver = true;
    this.#socket.destroy();
  }

  #fail(status: number): void {
    // Where it is being closed already, its own events tell why.
    if (!this.#socket.destroyed) this.#events.onLost(this, getSystemErrorName(status));
  }
}

/** What the stream has read before its handle was taken. */
function readAll(socket: SplicedSocket): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return chunks;
    chunks.push(chunk);
  }
}

// One function for all, as with streams.

function deliverRead(this: StreamHandle): void {
  this.reader?.onRead();
}

function tellEnd(this: OwnedSocket): void {
  this[END]?.onPeerEnd();
}

function tellLost(this: OwnedSocket, error: Error): void {
  this[END]?.onError(error);
}

function tellClose(this: OwnedSocket): void {
  this[END]?.onClose();
}
