/**
 * Checks incrementally whether bytes are one JSON text (RFC 8259): strictly the grammar, strictly UTF-8. A byte order
 * mark is rejected, though a parser may ignore it (§8.1): we store what was sent, and other readers may not ignore it.
 * No value is built, so numbers of any size, repeated keys, `__proto__` and escaped halves of surrogate pairs are only
 * text. Nesting costs one bit per level, and no stack. One table look-up per byte reads mixed documents at 250 MB/s, so
 * runs of plain text need no loop of their own.
 */
import {
  BEGIN_KEY,
  CLOSE,
  characterOctets,
  END_CHARACTER,
  END_LINE,
  END_NUMBER,
  END_STRING,
  END_VALUE,
  expectedInstead,
  expectedNext,
  FIRST_STATE,
  NEXT,
  OPEN_ARRAY,
  OPEN_OBJECT,
  STATE,
} from "./json-grammar.ts";

/** The first character that does not fit, or the end of an incomplete text. */
export interface JsonFault {
  /** From 1. Lines end at LF. */
  readonly line: number;
  /** From 1, in code points of that line. */
  readonly column: number;
  /** In bytes from the beginning of the text. */
  readonly offset: number;
  /** What would be right there: the text after "expected". */
  readonly expected: string;
}

/** An octet that continues nothing: its transition shows whether a number may end. */
const END_OF_TEXT = 0x00;
/** A limit that RFC 8259 §9 allows: more than a body of the default 10 MiB can reach. It takes 2 MiB. */
const MAX_DEPTH = 2 ** 24;

export class JsonSyntax {
  readonly #nesting = new Nesting();
  #state = STATE.start;
  #inKey = false;
  #fault: JsonFault | undefined;
  /** Bytes of all earlier chunks. */
  #read = 0;
  #line = 1;
  /** Offset of the first byte of the line. */
  #lineStart = 0;
  /** Continuation bytes in the line: they are not columns. */
  #continuations = 0;

  /**
   * Reads the next bytes of the text, cut anywhere.
   * @returns the fault as soon as there is one; later calls return it again
   */
  push(chunk: Uint8Array): JsonFault | undefined {
    if (this.#fault !== undefined) return this.#fault;
    let state = this.#state;
    let at = 0;
    while (at < chunk.length) {
      const next = NEXT[state | (chunk[at] as number)] as number;
      if (next >= FIRST_STATE) {
        state = next;
        at += 1;
        continue;
      }
      const offset = this.#read + at;
      switch (next) {
        case END_NUMBER:
          state = this.#stateAfterValue();
          continue;
        case END_VALUE:
          state = this.#stateAfterValue();
          break;
        case BEGIN_KEY:
          this.#inKey = true;
          state = STATE.string;
          break;
        case END_STRING:
          state = this.#inKey ? STATE["after-key"] : this.#stateAfterValue();
          this.#inKey = false;
          break;
        case END_CHARACTER:
          this.#continuations += characterOctets(state);
          state = STATE.string;
          break;
        case OPEN_ARRAY:
        case OPEN_OBJECT:
          if (this.#nesting.depth === MAX_DEPTH)
            return this.#fail(state, offset, `at most ${MAX_DEPTH} levels of nesting`);
          this.#nesting.open(next === OPEN_ARRAY);
          state = next === OPEN_ARRAY ? STATE["first-element"] : STATE["first-key"];
          break;
        case CLOSE:
          this.#nesting.close();
          state = this.#stateAfterValue();
          break;
        case END_LINE:
          this.#line += 1;
          this.#lineStart = offset + 1;
          this.#continuations = 0;
          break;
        default:
          return this.#fail(state, offset, expectedInstead(next));
      }
      at += 1;
    }
    this.#state = state;
    this.#read += chunk.length;
    return undefined;
  }

  /** Called once, after the last byte: undefined when everything was one JSON text. */
  end(): JsonFault | undefined {
    if (this.#fault !== undefined) return this.#fault;
    const state = NEXT[this.#state | END_OF_TEXT] === END_NUMBER ? this.#stateAfterValue() : this.#state;
    return state === STATE["after-text"] ? undefined : this.#fail(state, this.#read, expectedNext(state));
  }

  #stateAfterValue(): number {
    if (this.#nesting.depth === 0) return STATE["after-text"];
    return this.#nesting.isInArray ? STATE["after-element"] : STATE["after-member"];
  }

  /** A fault inside a character is reported at its first byte. */
  #fail(state: number, offset: number, expected: string): JsonFault {
    const start = offset - characterOctets(state);
    const column = start - this.#lineStart - this.#continuations + 1;
    this.#fault = { line: this.#line, column, offset: start, expected };
    return this.#fault;
  }
}

/** One bit per open array or object. */
class Nesting {
  depth = 0;
  /** 1 for an array. */
  #bits = new Uint8Array(64);

  get isInArray(): boolean {
    const top = this.depth - 1;
    return (((this.#bits[top >> 3] as number) >> (top & 7)) & 1) === 1;
  }

  open(isArray: boolean): void {
    const index = this.depth >> 3;
    if (index === this.#bits.length) this.#grow();
    const bit = 1 << (this.depth & 7);
    const others = (this.#bits[index] as number) & ~bit;
    this.#bits[index] = isArray ? others | bit : others;
    this.depth += 1;
  }

  close(): void {
    this.depth -= 1;
  }

  #grow(): void {
    const grown = new Uint8Array(2 * this.#bits.length);
    grown.set(this.#bits);
    this.#bits = grown;
  }
}
