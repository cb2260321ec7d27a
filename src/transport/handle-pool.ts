/**
 * Shared by all handles of a process, to save memory: read buffer, spare write request, callbacks of libuv and Node.
 */
import type { HandleReader, NodeInternals, StreamHandle, TlsHandle, WriteRequest } from "./node-internals.ts";

/** Users consume or copy what was read before another handle reads. */
export const READ_SIZE = 64 * 1024;
export const READ_BUFFER = Buffer.allocUnsafeSlow(READ_SIZE);

export class WritePool {
  readonly internals: NodeInternals;
  /** For the next write; only a write that has to wait uses it up. */
  spareWrite: WriteRequest;
  /** Allocated at the first `copy`. */
  #spareBytes = Buffer.alloc(0);

  constructor(internals: NodeInternals) {
    this.internals = internals;
    this.spareWrite = makeWrite(internals);
  }

  useWrite(): void {
    this.spareWrite = makeWrite(this.internals);
  }

  /** @returns a copy that the next call overwrites, unless the caller passes it to `keep` */
  copy(chunk: Uint8Array): Uint8Array {
    if (chunk.length > this.#spareBytes.length) {
      this.#spareBytes = Buffer.allocUnsafeSlow(Math.max(READ_SIZE, chunk.length));
    }
    this.#spareBytes.set(chunk);
    return this.#spareBytes.subarray(0, chunk.length);
  }

  keep(copy: Uint8Array): void {
    this.#spareBytes = this.#spareBytes.subarray(copy.length);
  }
}

/** From now on the handle reads into the shared buffer and notifies `reader`. */
export function readWith(handle: StreamHandle, reader: HandleReader): void {
  handle.reader = reader;
  if (isReading(handle)) return;
  handle.onread = deliverRead;
  handle.useUserBuffer(READ_BUFFER);
}

/** Whether `readWith` was called. */
export function isReading(handle: StreamHandle): boolean {
  return handle.onread === deliverRead;
}

/** `reset` makes the kernel drop what it has not sent; only TCP can do that. */
type Closing = "close" | "reset";

/** @param how  `reset` not while `shutdown` is under way */
export function closeCarrier(carrier: StreamHandle, callback?: () => void, how: Closing = "close"): void {
  if (how === "reset" && carrier.reset !== undefined) carrier.reset(callback);
  else carrier.close(callback);
}

/** Closes a tick later: OpenSSL may be working on this handle right now, and has an alert to send. */
export function closeTls(carrier: StreamHandle, tls: TlsHandle, callback?: () => void, how: Closing = "close"): void {
  const done = (): void => {
    tls.destroySSL();
    callback?.();
  };
  setImmediate(() => closeCarrier(carrier, done, how));
}

/** For TLS handles, during the handshake and after it. */
export function tellBroken(this: TlsHandle, error: Error): void {
  this.reader?.onBroken?.(error);
}

function deliverRead(this: StreamHandle): void {
  this.reader?.onRead();
}

function makeWrite(internals: NodeInternals): WriteRequest {
  const request = new internals.WriteWrap();
  request.oncomplete = completeWrite;
  return request;
}

function completeWrite(this: WriteRequest, status: number): void {
  this.writer?.onWritten(status);
}
