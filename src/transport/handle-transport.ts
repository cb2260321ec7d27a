/**
 * A Transport on the accepted handle itself, without `net.Socket`: all connections of the process read into one buffer,
 * and a write that the kernel takes at once makes no object. (1 KiB over kept connections: 1.2 times the requests for each
 * second of processor time that net.Socket with a shared read buffer gives.)
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes } from "../base/units.ts";
import {
  END_OF_FILE,
  type PeerName,
  type StreamHandle,
  type StreamInternals,
  type WriteRequest,
} from "./stream-internals.ts";
import type { AcceptedTransport, TransportEvents } from "./transport.ts";

/** What is read is handed on, or copied, before the next connection reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** What all handle transports of a process share. */
export class HandleKit {
  readonly internals: StreamInternals;
  /** For the next write: it is used up only by a write that has to wait. */
  spareWrite: WriteRequest;

  constructor(internals: StreamInternals) {
    this.internals = internals;
    this.spareWrite = new internals.WriteWrap();
  }
}

export class HandleTransport implements AcceptedTransport {
  readonly #handle: StreamHandle;
  readonly #kit: HandleKit;
  #events: TransportEvents | undefined;
  #onFault: (fault: unknown) => void = () => undefined;
  #peer: PeerAddress | undefined;
  /** A write is under way. */
  #isWriting = false;
  /** `end` was called. */
  #hasEnded = false;
  /** The client has been told that nothing more will come, or will be before it could notice that we are closing. */
  #isShut = false;
  #clientHasEnded = false;
  #isClosed = false;

  constructor(handle: StreamHandle, kit: HandleKit) {
    this.#handle = handle;
    this.#kit = kit;
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    this.#events = events;
    this.#onFault = onFault;
    this.#handle.reader = this;
    this.#handle.onread = deliverRead;
    this.#handle.useUserBuffer(READ_BUFFER);
    this.resume();
  }

  get peer(): PeerAddress {
    this.#peer ??= readPeer(this.#handle);
    return this.#peer;
  }

  get unsent(): Bytes {
    return bytes(this.#isWriting ? this.#handle.writeQueueSize : 0);
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return false;
    const { internals, spareWrite: request } = this.#kit;
    const chunks = second === undefined ? chunk : [chunk, second];
    const status = Array.isArray(chunks)
      ? this.#handle.writev(request, chunks, true)
      : this.#handle.writeBuffer(request, chunk);
    const isTaken = status === 0 && internals.streamBaseState[internals.kLastWriteWasAsync] === 0;
    if (isTaken) return true;
    this.#kit.spareWrite = new internals.WriteWrap();
    if (status === 0) this.#await(request, chunks);
    else this.#closeLater();
    return false;
  }

  pause(): void {
    if (!this.#isClosed) this.#handle.readStop();
  }

  resume(): void {
    // After the client's end there is nothing to read but the same end again.
    if (this.#isClosed || this.#clientHasEnded) return;
    if (this.#handle.readStart() < 0) this.#closeLater();
  }

  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#clientHasEnded && !this.#isWriting) {
      this.#closeLater();
      return;
    }
    const request = new this.#kit.internals.ShutdownWrap();
    if (this.#isWriting) request.oncomplete = () => this.#onShut();
    else this.#isShut = true;
    // Fails when the connection is lost.
    if (this.#handle.shutdown(request) < 0) this.#closeLater();
  }

  finish(): void {
    if (this.#isWriting) this.end();
    else this.destroy();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isWriting = false;
    this.#handle.close();
    this.#tellClosed();
  }

  // ---- what libuv tells us

  onRead(): void {
    const { streamBaseState, kReadBytesOrError } = this.#kit.internals;
    const count = streamBaseState[kReadBytesOrError] as number;
    if (this.#isClosed || count === 0) return;
    // Nothing that a handler throws may get into libuv's callback: it would end the process.
    try {
      if (count > 0) this.#events?.onBytes(READ_BUFFER.subarray(0, count));
      else if (count === END_OF_FILE) this.#onEnd();
      else this.destroy();
    } catch (fault) {
      this.#cut(fault);
    }
  }

  #onEnd(): void {
    this.#clientHasEnded = true;
    if (this.#isShut) this.destroy();
    else if (!this.#hasEnded) this.#events?.onEnd();
  }

  #await(request: WriteRequest, chunks: unknown): void {
    this.#isWriting = true;
    request.chunks = chunks;
    request.oncomplete = (status) => this.#onWritten(status);
  }

  #onWritten(status: number): void {
    if (this.#isClosed) return;
    this.#isWriting = false;
    try {
      if (status < 0) this.destroy();
      else if (!this.#hasEnded) this.#events?.onDrained();
    } catch (fault) {
      this.#cut(fault);
    }
  }

  #onShut(): void {
    this.#isShut = true;
    if (this.#clientHasEnded) this.destroy();
  }

  /** For calls in which no event may come. */
  #closeLater(): void {
    this.#isClosed = true;
    this.#isWriting = false;
    this.#handle.close(() => this.#tellClosed());
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

/** One function for all handles: each of its own would cost an idle connection 100 bytes. */
function deliverRead(this: StreamHandle): void {
  this.reader?.onRead();
}

function readPeer(handle: StreamHandle): PeerAddress {
  if (handle.getpeername === undefined) return { address: "unix", port: 0 };
  const name: PeerName = {};
  handle.getpeername(name);
  return { address: name.address ?? "unknown", port: name.port ?? 0 };
}
