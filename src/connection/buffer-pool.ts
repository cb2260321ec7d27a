/**
 * Buffers for sending files, reused between transfers. Few transfers get large buffers, many get small ones. So ten
 * thousand slow clients need no more memory than some hundred fast ones.
 */
interface BufferClass {
  /** For transfers that start while fewer than this are under way. */
  readonly transfers: number;
  readonly size: number;
}

const CLASSES: readonly BufferClass[] = [
  { transfers: 16, size: 1024 * 1024 },
  { transfers: 128, size: 256 * 1024 },
  { transfers: 1024, size: 64 * 1024 },
  { transfers: Number.POSITIVE_INFINITY, size: 16 * 1024 },
];

/** Limit of unused bytes kept for the next transfers. */
const MAX_SPARE_BYTES = 16 * 1024 * 1024;

export class BufferPool {
  readonly #spare = new Map<number, Buffer[]>();
  #spareBytes = 0;
  #lent = 0;

  take(): Buffer {
    const size = sizeFor(this.#lent);
    this.#lent += 1;
    const spare = this.#spare.get(size)?.pop();
    if (spare === undefined) return Buffer.allocUnsafeSlow(size);
    this.#spareBytes -= size;
    return spare;
  }

  /** Takes back a buffer that is no longer read or written. */
  give(buffer: Buffer): void {
    this.#lent -= 1;
    if (this.#spareBytes + buffer.length > MAX_SPARE_BYTES) return;
    this.#spareBytes += buffer.length;
    const spare = this.#spare.get(buffer.length);
    if (spare === undefined) this.#spare.set(buffer.length, [buffer]);
    else spare.push(buffer);
  }
}

function sizeFor(lent: number): number {
  return (CLASSES.find(({ transfers }) => lent < transfers) as BufferClass).size;
}
