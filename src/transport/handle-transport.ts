/**
 * A Transport directly on libuv's handle, without `net.Socket` or `tls.TLSSocket`: TCP, a Unix socket, or TLS on
 * either. All connections share one read buffer, and a write that the kernel takes at once makes no object. (1 KiB over
 * kept connections: 1.2 times the requests per second of processor time of net.Socket with a shared read buffer.)
 * TLS allows one write at a time; a second would end the process. So no handle gets another while one is under way.
 */
import type { PeerAddress, SocketAddress } from "../base/endpoint.ts";
import { withoutZone } from "../base/ip-address.ts";
import { type Bytes, bytes, type Milliseconds } from "../base/units.ts";
import {
  closeCarrier,
  closeTls,
  isReading,
  READ_BUFFER,
  READ_SIZE,
  readWith,
  tellBroken,
  type WritePool,
} from "./handle-pool.ts";
import {
  END_OF_FILE,
  type HandleReader,
  type ShutdownRequest,
  type SocketName,
  type StreamHandle,
  type TlsHandle,
} from "./node-internals.ts";
import type { ByteStream, Carrier, TransportEvents } from "./transport.ts";

/** `pass` returns false from this many waiting bytes on: one read that fills the buffer is enough. */
const MAX_WAITING = READ_SIZE;

/** A TLS write up to this size counts as taken: OpenSSL has encrypted it, so a response in one piece does not wait. */
const MAX_SEALED = 64 * 1024;

/**
 * Other connections get a turn after this many reads. libuv reads up to 32 times 64 KiB in a row. In TLS records of one
 * byte each, that delayed all others for a third of a second. Full records do not reach this count in one turn.
 */
const READS_IN_A_ROW = 512;

export class HandleTransport implements ByteStream, HandleReader {
  /** The TLS handle where there is one, else the carrier. */
  readonly #stream: StreamHandle;
  /** TCP or the Unix socket. */
  readonly #carrier: StreamHandle;
  readonly #tls: TlsHandle | undefined;
  readonly #pool: WritePool;
  #events: TransportEvents | undefined;
  #onFault: (fault: unknown) => void = () => undefined;
  peer: PeerAddress;
  #isWriting = false;
  /** Bytes of the write under way. */
  #underWay = 0;
  /** Chunks to write after it. */
  #waiting: Uint8Array[] | undefined;
  #waitingLength = 0;
  /** `write` or `pass` returned false; `onDrained` must follow. */
  #isAwaited = false;
  #isPaused = false;
  #reads = 0;
  /** Reading pauses until other connections had their turn. */
  #isResting = false;
  #hasEnded = false;
  /** `finish` was called: close as soon as our side has ended. */
  #isFinishing = false;
  /** The kernel has our end, or sends it before the client can notice that we close. */
  #isShut = false;
  #isShutting = false;
  #clientHasEnded = false;
  #isClosed = false;

  /** @param tls  on `carrier`, after its handshake, and reading by `readWith` */
  constructor(carrier: StreamHandle, pool: WritePool, peer: PeerAddress, tls?: TlsHandle) {
    this.#carrier = carrier;
    this.#stream = tls ?? carrier;
    this.#tls = tls;
    this.#pool = pool;
    this.peer = peer;
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    this.#events = events;
    this.#onFault = onFault;
    // libuv references only the carrier, and the carrier references the rest.
    this.#carrier.reader = this;
    const readsAlready = isReading(this.#stream);
    readWith(this.#stream, this);
    if (this.#tls !== undefined) this.#tls.onerror = tellBroken;
    if (!readsAlready && this.#stream.readStart() < 0) this.#closeLater();
  }

  get unsent(): Bytes {
    if (!this.#isWriting) return bytes(0);
    // A write counts until its last byte is gone; the carrier's queue shrinks while the client reads.
    return bytes(Math.max(1, this.#carrier.writeQueueSize) + this.#waitingLength);
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return false;
    if (this.#isWriting) {
      this.#queue(chunk);
      if (second !== undefined) this.#queue(second);
      this.#isAwaited = true;
      return false;
    }
    if (this.#send(second === undefined ? chunk : [chunk, second])) return true;
    if (this.#tls !== undefined && !this.#isClosed && chunk.length + (second?.length ?? 0) <= MAX_SEALED) return true;
    this.#isAwaited = true;
    return false;
  }

  pass(chunk: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return true;
    if (this.#isWriting) {
      this.#queue(Buffer.from(chunk));
    } else if (this.#tls !== undefined) {
      this.#send(chunk);
    } else {
      const copy = this.#pool.copy(chunk);
      if (!this.#send(copy)) this.#pool.keep(copy);
    }
    if (!this.#isWriting || this.#underWay + this.#waitingLength < MAX_WAITING) return true;
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

  reset(): void {
    if (!this.#isClosed) this.#close(() => this.#tellClosed(), true);
  }

  cut(): void {
    if (this.#isClosed) return;
    this.#close(() => this.#tellClosed(), this.#tls === undefined);
  }

  get local(): SocketAddress | undefined {
    const name: SocketName = {};
    if (!this.#isClosed) this.#carrier.getsockname?.(name);
    const { address, port = 0 } = name;
    return address === undefined ? undefined : { address: withoutZone(address), port };
  }

  keepAlive(after: Milliseconds): void {
    this.#carrier.setKeepAlive?.(true, Math.trunc(after / 1000));
  }

  // ---- called by libuv: an exception in its callbacks would end the process

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

  /** After a record that OpenSSL cannot decrypt, nothing more can be read. */
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
    if (waiting !== undefined) {
      this.#underWay = this.#waitingLength;
      this.#waiting = undefined;
      this.#waitingLength = 0;
      this.#send(waiting);
    }
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
    // After the client's end, a read only reports the same end again.
    if (this.#isClosed || this.#clientHasEnded || this.#isResting) return;
    if (this.#stream.readStart() < 0) this.#closeLater();
  }

  #onEnd(): void {
    if (this.#clientHasEnded) return;
    this.#clientHasEnded = true;
    if (this.#isShut) this.destroy();
    else if (!this.#hasEnded) this.#events?.onEnd();
  }

  #queue(chunk: Uint8Array): void {
    this.#waiting ??= [];
    this.#waiting.push(chunk);
    this.#waitingLength += chunk.length;
  }

  /** @returns whether the kernel has all of it */
  #send(chunks: Uint8Array | Uint8Array[]): boolean {
    if (this.#hasLostHandshake()) {
      this.#closeLater();
      return false;
    }
    const { internals, spareWrite: request } = this.#pool;
    // TLS may report a failure before the call returns.
    this.#isWriting = true;
    request.writer = this;
    if (!Array.isArray(chunks)) this.#underWay = chunks.length;
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

  /**
   * Whether the last write of the handshake (tickets of TLS 1.3) failed because the client reset the connection. Node reports
   * that to no one: TLS waits for that write forever, and all later writes wait behind it.
   */
  #hasLostHandshake(): boolean {
    if (this.#tls === undefined || this.#tls.writeQueueSize === 0 || this.#carrier.writeQueueSize > 0) return false;
    // The write may be done and TLS not notified yet; a connection that was reset has no peer.
    return (this.#carrier.getpeername?.({}) ?? 0) < 0;
  }

  /** Only when everything written has left. */
  #shut(): void {
    const tls = this.#tls;
    if (tls === undefined && this.#clientHasEnded) {
      this.#onShut();
      return;
    }
    // Last bytes of the handshake may still be under way: close_notify would be too late behind them.
    if (tls !== undefined && tls.writeQueueSize > 0) setImmediate(() => this.#shutNow());
    else this.#shutNow();
  }

  #shutNow(): void {
    if (this.#isClosed) return;
    const request: ShutdownRequest = new this.#pool.internals.ShutdownWrap();
    request.oncomplete = () => {
      this.#isShutting = false;
      if (!this.#isShut) this.#onShut();
    };
    this.#isShutting = true;
    // Fails when the connection is lost.
    if (this.#stream.shutdown(request) < 0) this.#closeLater();
    else if (this.#carrier.writeQueueSize === 0) this.#onShut();
  }

  /** The kernel has everything for the client. */
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

  /** For calls during which no event may occur. */
  #closeLater(): void {
    if (!this.#isClosed) this.#close(() => this.#tellClosed());
  }

  #close(callback?: () => void, isReset = false): void {
    this.#isClosed = true;
    this.#isWriting = false;
    this.#waiting = undefined;
    this.#waitingLength = 0;
    // During `shutdown` a reset would never close. The client gets the end instead, after all that was written.
    const how = isReset && !this.#isShutting ? "reset" : "close";
    if (this.#tls !== undefined) closeTls(this.#carrier, this.#tls, callback, how);
    else closeCarrier(this.#carrier, callback, how);
  }

  #tellClosed(): void {
    try {
      this.#events?.onClosed(this.#isShut && this.#clientHasEnded);
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  #cut(fault: unknown): void {
    this.destroy();
    this.#onFault(fault);
  }
}
