/**
 * Memory for sending files, and turns to fill it: a transfer takes a buffer for one piece and gives it back when the
 * kernel has that piece. Both are bounded for all transfers of a process, so clients that read nothing cost others
 * neither memory nor time.
 */
import { BufferSlab, UNIT } from "./buffer-slab.ts";

/** A buffer is at most one of these shares of what is left of the budget. */
const BUDGET = 32 * 1024 * 1024;
const SHARES = 16;
const LARGEST = 1024 * 1024;
/** A transfer gets this much even without budget, or it could never end. */
const SMALLEST = UNIT;
/**
 * Reads under way. libuv has four threads for files: one stays free for uploads and logs. It also bounds the work between
 * two turns of the event loop: with a thousand reads at once, a small response waited for a thousand large writes.
 */
const MAX_READS = 3;

export class BufferPool {
  readonly #slab = new BufferSlab();
  #lentBytes = 0;
  #isUsed = false;
  #reads = 0;
  /** Transfers that wait for their turn, in order of arrival. */
  readonly #waiting: (() => void)[] = [];

  /**
   * Waits for a turn, then takes a buffer and fills it.
   *
   * @param most  the buffer is larger only where it is the smallest there is
   * @returns the filled buffer, to be given back
   * @throws what `read` throws
   */
  async fill(most: number, read: (buffer: Buffer) => Promise<void>): Promise<Buffer> {
    if (this.#reads < MAX_READS) this.#reads += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const buffer = this.take(most);
    try {
      await read(buffer);
      return buffer;
    } catch (error) {
      this.give(buffer);
      throw error;
    } finally {
      this.#passTurn();
    }
  }

  /** @param most  as in `fill` */
  take(most: number): Buffer {
    const size = sizeWithin(most, BUDGET - this.#lentBytes);
    this.#lentBytes += size;
    this.#isUsed = true;
    return this.#slab.take(size) ?? Buffer.allocUnsafeSlow(size);
  }

  /** Takes back a buffer that is no longer read or written. */
  give(buffer: Buffer): void {
    this.#lentBytes -= buffer.length;
    this.#slab.give(buffer);
  }

  /** Frees the memory if no buffer was taken since the last call and none is lent. @returns whether there is still some */
  sweep(): boolean {
    if (!this.#isUsed) this.#slab.free();
    this.#isUsed = false;
    return this.#slab.hasMemory;
  }

  /** The turn goes directly to the next in line, so that no other can get it first. */
  #passTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#reads -= 1;
    else next();
  }
}

/** The smallest size that holds `most`, unless that is more than a share of the bytes left. */
function sizeWithin(most: number, left: number): number {
  let size = SMALLEST;
  while (size < most && size < LARGEST && 2 * size * SHARES <= left) size *= 2;
  return size;
}
