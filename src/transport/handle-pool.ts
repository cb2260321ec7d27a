/**
 * What all handles of a process share: the buffer that they read into, what the next write needs, and the functions that libuv
 * and Node call, which would cost each connection memory of its own otherwise.
 */
import type { HandleReader, NodeInternals, StreamHandle, TlsHandle, WriteRequest } from "./node-internals.ts";

/** What is read is handed on, or copied, before another handle reads. */
export const READ_SIZE = 64 * 1024;
export const READ_BUFFER = Buffer.allocUnsafeSlow(READ_SIZE);

/** What all handle transports of a process share. */
export class WritePool {
  readonly internals: NodeInternals;
  /** For the next write: it is used up only by a write that has to wait. */
  spareWrite: WriteRequest;
  /** Made when something is passed on first. */
  #spareBytes = Buffer.alloc(0);

  constructor(internals: NodeInternals) {
    this.internals = internals;
    this.spareWrite = makeWrite(internals);
  }

  useWrite(): void {
    this.spareWrite = makeWrite(this.internals);
  }

  /** @returns a copy that the next one overwrites, unless `keep` is called with it */
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

/** From now on what the handle reads is in the buffer that all share, and `reader` is told. */
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

/** A tick later: OpenSSL may be at work on this handle right now, and has an alert to send. */
export function closeTls(carrier: StreamHandle, tls: TlsHandle, callback?: () => void): void {
  setImmediate(() => {
    carrier.close(() => {
      tls.destroySSL();
      callback?.();
    });
  });
}

/** Of TLS that has shaken hands, or is about to. */
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
