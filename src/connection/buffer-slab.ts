/**
 * One block of memory that buffers are cut from. As a whole it goes back to the system at once; many buffers from the heap
 * would leave it full of holes, and V8 frees them only with a collection, which an idle process may not have for hours.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";

/** Buffers are multiples of this many bytes. */
export const UNIT = 16 * 1024;
/** Above 32 MiB, the C library maps a block of its own and unmaps it when it is freed. Only used pages take memory. */
const SLAB_BYTES = 48 * 1024 * 1024;

export class BufferSlab {
  /** Exists while a buffer is taken, and until `free`. */
  #memory: ArrayBuffer | undefined;
  /** For each unit 1 when it is taken. */
  readonly #taken = new Uint8Array(SLAB_BYTES / UNIT);
  #count = 0;

  get hasMemory(): boolean {
    return this.#memory !== undefined;
  }

  /**
   * @param size  a power of two of units
   * @returns undefined when there is no room
   */
  take(size: number): Buffer | undefined {
    const units = size / UNIT;
    const first = this.#findFree(units);
    if (first === undefined) return undefined;
    this.#taken.fill(1, first, first + units);
    this.#count += 1;
    this.#memory ??= allocate();
    return Buffer.from(this.#memory, first * UNIT, size);
  }

  /** @returns false for a buffer from elsewhere */
  give(buffer: Buffer): boolean {
    if (buffer.buffer !== this.#memory) return false;
    const first = buffer.byteOffset / UNIT;
    this.#taken.fill(0, first, first + buffer.length / UNIT);
    this.#count -= 1;
    return true;
  }

  /** Gives the memory back to the system, if no buffer is taken. */
  free(): void {
    if (this.#memory === undefined || this.#count > 0) return;
    freeNow(this.#memory);
    this.#memory = undefined;
  }

  /** The first place, so that a few buffers stay within few pages and in the processor's cache. */
  #findFree(units: number): number | undefined {
    for (let first = 0; first < this.#taken.length; first += units) {
      let end = first;
      while (end < first + units && this.#taken[end] === 0) end += 1;
      if (end === first + units) return first;
    }
    return undefined;
  }
}

/** Not set to zero, which would use every page. */
function allocate(): ArrayBuffer {
  const { buffer } = Buffer.allocUnsafeSlow(SLAB_BYTES);
  if (!(buffer instanceof ArrayBuffer)) throw new Error("a buffer shares its memory");
  return buffer;
}

let nowhere: MessagePort | undefined;

/** What is transferred to a port without a partner is freed at once. (`ArrayBuffer.transfer` is missing in Node 20.) */
function freeNow(memory: ArrayBuffer): void {
  if (nowhere === undefined) {
    const { port1, port2 } = new MessageChannel();
    port2.close();
    nowhere = port1;
  }
  nowhere.postMessage(undefined, [memory]);
}
