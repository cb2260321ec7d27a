/**
 * A Transport on libuv's handle itself, without `net.Socket` or `tls.TLSSocket`: TCP, a Unix socket, or TLS on one of them. All
 * connections of the process read into one buffer, and a write that the kernel takes at once makes no object. (1 KiB over
 * kept connections: 1.2 times the requests for each second of processor time that net.Socket with a shared read buffer gives.)
 *
 * TLS stands only one write at a time: a second would end the process. So no handle gets another while one is under way.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes } from "../base/units.ts";
import {
  END_OF_FILE,
  type HandleReader,
  type NodeInternals,
  type ShutdownRequest,
  type SocketName,
  type StreamHandle,
  type TlsHandle,
  type WriteRequest,
} from "./node-internals.ts";
import type { Carrier, PlainTransport, TransportEvents } from "./transport.ts";

/** What is read is handed on, or copied, before another handle reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** What TLS may have sealed and not sent before a writer has to wait: a response written in one piece is not held up. */
const MAX_SEALED = 64 * 1024;

/**
 * After so many reads the others have a turn. libuv reads on as long as there is something to be read, 32 times 64 KiB, which in
 * records of a byte each (TLS) held everybody else up for a third of a second. Full records do not come to so many in one turn.
 */
const READS_IN_A_ROW = 512;

/** What all handle transports of a process share. */
export class WritePool {
  readonly internals: NodeInternals;
  /** For the next write: it is used up only by a write that has to wait. */
  spareWrite: WriteRequest;

  constructor(internals: NodeInternals) {
    this.internals = internals;
    this.spareWrite = makeWrite(internals);
  }

  useWrite(): void {
    this.spareWrite = makeWrite(this.internals);
  }
}

export class HandleTransport implements PlainTransport, HandleReader {
  /** What is read and written. */
  readonly #stream: StreamHandle;
  /** TCP or the Unix socket: the same, but for TLS. */
  readonly #carrier: StreamHandle;
  readonly #tls: TlsHandle | undefined;
  readonly #pool: WritePool;
  #events: TransportEvents | undefined;
  #onFault: (fault: unknown) => void = () => undefined;
  #peer: PeerAddress | undefined;
  /** A write is under way. */
  #isWriting = false;
  /** What was to be written meanwhile. */
  #waiting: Uint8Array[] | undefined;
  /** A writer was told to wait. */
  #isAwaited = false;
  #isPaused = false;
  #reads = 0;
  /** It reads on when the others had their turn. */
  #isResting = false;
  /** `end` was called. */
  #hasEnded = false;
  /** `finish` was called: it closes as soon as our side has ended. */
  #isFinishing = false;
  /** The client has been told that nothing more will come, or will be before it could notice that we are closing. */
  #isShut = false;
  #clientHasEnded = false;
  #isClosed = false;

  /** @param tls  on `carrier`, its handshake done, and made to read by `readWith` */
  constructor(carrier: StreamHandle, pool: WritePool, tls?: TlsHandle, peer?: PeerAddress) {
    this.#carrier = carrier;
    this.#stream = tls ?? carrier;
    this.#tls = tls;
    this.#pool = pool;
    this.#peer = peer;
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    this.#events = events;
    this.#onFault = onFault;
    // libuv holds the carrier alone, and that all the rest.
    this.#carrier.reader = this;
    const isReading = this.#stream.onread === deliverRead;
    readWith(this.#stream, this);
    if (!isReading && this.#stream.readStart() < 0) this.#closeLater();
  }

  get peer(): PeerAddress {
    this.#peer ??= readPeer(this.#carrier);
    return this.#peer;
  }

  set peer(peer: PeerAddress) {
    this.#peer = peer;
  }

  get unsent(): Bytes {
    if (!this.#isWriting) return bytes(0);
    // A write counts until its last byte is gone; what the carrier has of it moves while the client reads.
    return bytes(Math.max(1, this.#carrier.writeQueueSize));
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return false;
    if (this.#isWriting) {
      this.#waiting ??= [];
      this.#waiting.push(chunk);
      if (second !== undefined) this.#waiting.push(second);
      this.#isAwaited = true;
      return false;
    }
    if (this.#send(second === undefined ? chunk : [chunk, second])) return true;
    if (this.#tls !== undefined && !this.#isClosed && chunk.length + (second?.length ?? 0) <= MAX_SEALED) return true;
    this.#isAwaited = true;
    return false;
  }

  pause(): void {
    if (this.#isClosed) return;
    this.#isPaused = true;
    this.#stream.readStop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readOn();
  }

  deliver(chunk: Buffer): void {
    if (this.#isClosed || chunk.length === 0) return;
    try {
      this.#events?.onBytes(chunk);
    } catch (fault) {
      this.#cut(fault);
    }
  }

  detach(): Carrier {
    this.#isClosed = true;
    return { kind: "handle", handle: this.#carrier };
  }

  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (!this.#isWriting) this.#shut();
  }

  finish(): void {
    if (this.#tls !== undefined) {
      this.#isFinishing = true;
      if (this.#isShut && !this.#isClosed) this.#closeLater();
      else this.end();
    } else if (this.#isWriting) {
      this.end();
    } else {
      this.destroy();
    }
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#close();
    this.#tellClosed();
  }

  // ---- what libuv tells us; nothing that is thrown may get into its callbacks: it would end the process

  onRead(): void {
    const { streamBaseState, kReadBytesOrError } = this.#pool.internals;
    const count = streamBaseState[kReadBytesOrError] as number;
    if (this.#isClosed || count === 0) return;
    try {
      if (count > 0) this.#deliverRead(count);
      else if (count === END_OF_FILE) this.#onEnd();
      else this.destroy();
    } catch (fault) {
      this.#cut(fault);
    }
  }

  /** After a record that cannot be opened nothing more is to be expected. */
  onBroken(): void {
    if (this.#isClosed) return;
    this.#stream.readStop();
    this.#closeLater();
  }

  onWritten(status: number): void {
    if (this.#isClosed) return;
    this.#isWriting = false;
    if (status < 0) {
      this.#closeLater();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.#send(waiting);
    if (this.#isWriting || this.#isClosed) return;
    if (this.#hasEnded) this.#shut();
    else this.#tellDrained();
  }

  #deliverRead(count: number): void {
    this.#events?.onBytes(READ_BUFFER.subarray(0, count));
    this.#reads += 1;
    if (this.#reads % READS_IN_A_ROW !== 0 || this.#isClosed || this.#isResting) return;
    this.#isResting = true;
    this.#stream.readStop();
    setImmediate(() => {
      this.#isResting = false;
      if (!this.#isPaused) this.#readOn();
    });
  }

  #readOn(): void {
    // After the client's end there is nothing to read but the same end again.
    if (this.#isClosed || this.#clientHasEnded || this.#isResting) return;
    if (this.#stream.readStart() < 0) this.#closeLater();
  }

  #onEnd(): void {
    if (this.#clientHasEnded) return;
    this.#clientHasEnded = true;
    if (this.#isShut) this.destroy();
    else if (!this.#hasEnded) this.#events?.onEnd();
  }

  /** @returns whether the kernel has all of it */
  #send(chunks: Uint8Array | Uint8Array[]): boolean {
    const { internals, spareWrite: request } = this.#pool;
    // TLS may tell of a failure before the call returns.
    this.#isWriting = true;
    request.writer = this;
    const status = Array.isArray(chunks)
      ? this.#stream.writev(request, chunks, true)
      : this.#stream.writeBuffer(request, chunks);
    if (status === 0 && internals.streamBaseState[internals.kLastWriteWasAsync] === 0) {
      this.#isWriting = false;
      return true;
    }
    this.#pool.useWrite();
    if (status !== 0) this.#closeLater();
    else if (this.#tls === undefined) request.chunks = chunks;
    return false;
  }

  /** When all that was written has left. */
  #shut(): void {
    const tls = this.#tls;
    if (tls === undefined && this.#clientHasEnded) {
      this.#closeLater();
      return;
    }
    // What the handshake itself has written last may be under way: close_notify would come too late behind it.
    if (tls !== undefined && tls.writeQueueSize > 0) setImmediate(() => this.#shutNow());
    else this.#shutNow();
  }

  #shutNow(): void {
    if (this.#isClosed) return;
    const request: ShutdownRequest = new this.#pool.internals.ShutdownWrap();
    request.oncomplete = () => this.#onShut();
    // Fails when the connection is lost.
    if (this.#stream.shutdown(request) < 0) this.#closeLater();
    else if (this.#carrier.writeQueueSize === 0) this.#onShut();
  }

  /** What the client was to get is with the kernel. */
  #onShut(): void {
    this.#isShut = true;
    if (!this.#isClosed && (this.#clientHasEnded || this.#isFinishing)) this.#closeLater();
  }

  #tellDrained(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    try {
      this.#events?.onDrained();
    } catch (fault) {
      this.#cut(fault);
    }
  }

  /** For calls in which no event may come. */
  #closeLater(): void {
    if (!this.#isClosed) this.#close(() => this.#tellClosed());
  }

  #close(callback?: () => void): void {
    this.#isClosed = true;
    this.#isWriting = false;
    this.#waiting = undefined;
    if (this.#tls === undefined) this.#carrier.close(callback);
    else closeTls(this.#carrier, this.#tls, callback);
  }

  #tellClosed(): void {
    try {
      this.#events?.onClosed();
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  #cut(fault: unknown): void {
    this.destroy();
    this.#onFault(fault);
  }
}

/** From now on what the handle reads is in the buffer that all share, and `reader` is told. */
export function readWith(handle: StreamHandle, reader: HandleReader): void {
  handle.reader = reader;
  if (handle.onread === deliverRead) return;
  handle.onread = deliverRead;
  handle.useUserBuffer(READ_BUFFER);
}

/** A tick later: OpenSSL may be at work on this handle right now, and has an alert to send. */
export function closeTls(carrier: StreamHandle, tls: TlsHandle, callback?: () => void): void {
  setImmediate(() => {
    carrier.close(() => {
      tls.destroySSL();
      callback?.();
    });
  });
}

/** One function for all handles: each of its own would cost an idle connection 100 bytes. */
function deliverRead(this: StreamHandle): void {
  this.reader?.onRead();
}

function makeWrite(internals: NodeInternals): WriteRequest {
  const request = new internals.WriteWrap();
  request.oncomplete = completeWrite;
  return request;
}

/** One function for all: each of its own would be made anew for every write of TLS. */
function completeWrite(this: WriteRequest, status: number): void {
  this.writer?.onWritten(status);
}

function readPeer(handle: StreamHandle): PeerAddress {
  if (handle.getpeername === undefined) return { address: "unix", port: 0 };
  const name: SocketName = {};
  handle.getpeername(name);
  return { address: name.address ?? "unknown", port: name.port ?? 0 };
}
