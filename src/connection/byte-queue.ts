/** Bytes that wait to be read: appended at the end, consumed at the front. */
const SMALLEST = 4096;
const EMPTY = Buffer.alloc(0);

export class ByteQueue {
  #buffer: Buffer = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** A view of all waiting bytes; valid until the next `append`. */
  get view(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Drops the first `count` bytes. An empty queue holds no memory. */
  consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#buffer = EMPTY;
    this.#start = 0;
    this.#end = 0;
  }

  // Always into new memory: views that were handed out stay unchanged.
  #makeRoom(extra: number): void {
    const waiting = this.view;
    const grown = Buffer.allocUnsafe(Math.max(SMALLEST, 2 * (waiting.length + extra)));
    waiting.copy(grown);
    this.#buffer = grown;
    this.#start = 0;
    this.#end = waiting.length;
  }
}
