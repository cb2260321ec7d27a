/** Reads DER (X.690 §10): tag, length, content, each length in its shortest form. */

/** What is not DER, or not what was expected. Whoever reads a file turns it into a value. */
export class DerError extends Error {}

export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** With tag and length. */
  readonly whole: Uint8Array;
}

/** Tags: one octet each, and that is all we meet. */
export const DER = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
} as const;

const LONG_FORM = 0x80;
const MAX_LENGTH_OCTETS = 4;

/** Reads values from the front, one after the other. Each function throws a `DerError` where the bytes are others. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next value, which must have this tag if one is given. */
  take(tag?: number): DerValue {
    const start = this.#at;
    const [found] = this.#octets(1);
    if (found === undefined || (tag !== undefined && found !== tag)) throw new DerError("another value was expected");
    const content = this.#octets(this.#length());
    return { tag: found, content, whole: this.#bytes.subarray(start, this.#at) };
  }

  /** The next value if it has this tag. */
  takeIf(tag: number): DerValue | undefined {
    return this.#bytes[this.#at] === tag ? this.take(tag) : undefined;
  }

  /** The values within the next one. */
  enter(tag: number = DER.SEQUENCE): DerReader {
    return new DerReader(this.take(tag).content);
  }

  end(): void {
    if (!this.isAtEnd) throw new DerError("more values than expected");
  }

  #length(): number {
    const [first = 0] = this.#octets(1);
    if (first < LONG_FORM) return first;
    const octets = this.#octets(first - LONG_FORM);
    const length = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    const isShortest = octets.length > 0 && octets[0] !== 0 && length >= LONG_FORM;
    if (!isShortest || octets.length > MAX_LENGTH_OCTETS) throw new DerError("a length in another form");
    return length;
  }

  #octets(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw new DerError("the bytes end too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

/** As written in standards: `1.3.6.1.5.5.7.48.1.1` (X.690 §8.19). */
export function formatObjectIdentifier(content: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const octet of content) {
    number = number * 128 + (octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join(".");
}

/** @returns milliseconds since 1970; RFC 5280 §4.1.2.5.2 allows one form only: `20260101120000Z` */
export function parseGeneralizedTime(content: Uint8Array): number {
  const form = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
  const text = Buffer.from(content).toString("latin1");
  const time = Date.parse(text.replace(form, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(time) || !form.test(text)) throw new DerError("a time in another form");
  return time;
}
