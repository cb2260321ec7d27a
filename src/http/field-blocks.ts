/**
 * Field lines of recent requests with their meaning. Browsers and proxies repeat the same lines with every request, so
 * one comparison of bytes replaces most parsing (ten fields, 450 bytes: a ninth of what a request cost). All
 * connections share it; its memory does not grow with the number of clients.
 */
import type { Host } from "./host.ts";
import type { RequestFields } from "./request-head.ts";

export interface KnownFields {
  readonly fields: RequestFields;
  /** Undefined without a Host field. */
  readonly host: Host | "refused" | undefined;
}

interface Slot {
  length: number;
  known: KnownFields;
}

const SLOTS = 64;
/** Longer blocks are parsed each time: they are rare, and cookies make them differ. */
const MAX_BLOCK = 2048;

export class FieldBlocks {
  readonly #bytes = Buffer.allocUnsafeSlow(SLOTS * MAX_BLOCK);
  readonly #slots: (Slot | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);

  /** @param end  of the bytes: a block that does not end exactly there is not found */
  find(bytes: Buffer, start: number, end: number): KnownFields | undefined {
    const place = placeOf(bytes, start, end);
    const slot = this.#slots[place];
    if (slot === undefined || slot.length !== end - start) return undefined;
    const at = place * MAX_BLOCK;
    return bytes.compare(this.#bytes, at, at + slot.length, start, end) === 0 ? slot.known : undefined;
  }

  /** @param end  after the empty line. A later block with the same place replaces this one. */
  keep(bytes: Buffer, start: number, end: number, known: KnownFields): void {
    if (end - start > MAX_BLOCK) return;
    const place = placeOf(bytes, start, end);
    bytes.copy(this.#bytes, place * MAX_BLOCK, start, end);
    this.#slots[place] = { length: end - start, known };
  }
}

/** From the length and a few bytes: different blocks may share a place. */
function placeOf(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  let sum = length;
  for (let quarter = 1; quarter < 4; quarter += 1) {
    sum = sum * 31 + (bytes[start + ((length * quarter) >> 2)] as number);
  }
  return sum % SLOTS;
}
