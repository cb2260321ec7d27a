/** The header fields of a request as places in its text: a value becomes a string when it is requested. */
import type { RequestFields } from "./request-head.ts";

/** Numbers per field line: name start, name end, value start, value end. */
const PLACES = 4;

/**
 * One bit of 32 for a field name. Most lookups are for absent fields, and a clear bit answers those without a search; a
 * set bit may be that of another name.
 */
export function fieldNameBit(length: number, firstOctet: number, lastOctet: number): number {
  return 1 << ((length * 7 + (firstOctet | 0x20) * 3 + (lastOctet | 0x20)) & 31);
}

export class ParsedFields implements RequestFields {
  readonly #text: string;
  readonly #places: readonly number[];
  readonly #bits: number;

  /**
   * @param text  the field lines, one character per octet
   * @param places  four positions in `text` per field line
   * @param bits  `fieldNameBit` of all names, or-ed
   */
  constructor(text: string, places: readonly number[], bits: number) {
    this.#text = text;
    this.#places = places;
    this.#bits = bits;
  }

  get count(): number {
    return this.#places.length / PLACES;
  }

  has(name: string): boolean {
    return this.#find(name, 0) !== -1;
  }

  get(name: string): string | undefined {
    const first = this.#find(name, 0);
    if (first === -1) return undefined;
    if (this.#find(name, first + PLACES) === -1) return this.#valueAt(first);
    return this.all(name).join(", ");
  }

  all(name: string): readonly string[] {
    const values: string[] = [];
    for (let line = this.#find(name, 0); line !== -1; line = this.#find(name, line + PLACES)) {
      values.push(this.#valueAt(line));
    }
    return values;
  }

  /** The place of the next line of that name, searched from place `from`, or -1. */
  #find(name: string, from: number): number {
    const length = name.length;
    const bit = fieldNameBit(length, name.charCodeAt(0), name.charCodeAt(length - 1));
    if ((this.#bits & bit) === 0) return -1;
    const places = this.#places;
    for (let line = from; line < places.length; line += PLACES) {
      const start = places[line] as number;
      if ((places[line + 1] as number) - start === length && this.#isNameAt(start, name)) return line;
    }
    return -1;
  }

  #isNameAt(start: number, name: string): boolean {
    for (let i = 0; i < name.length; i += 1) {
      const octet = this.#text.charCodeAt(start + i);
      const lower = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
      if (lower !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #valueAt(line: number): string {
    return this.#text.slice(this.#places[line + 2] as number, this.#places[line + 3] as number);
  }
}
