/**
 * Decodes the chunked coding of a body as its bytes arrive (RFC 9112 §7.1). Every line and every chunk ends in CR LF;
 * blanks around a size and a lone CR or LF are rejected. Extensions and trailers are parsed, bounded and dropped.
 */
import type { Bytes } from "../base/units.ts";
import { type ExtensionPlace, readExtensionOctet } from "./chunk-extension.ts";
import type { Refusal } from "./exchange.ts";
import { COLON, CR, LF, SEMICOLON, TOKEN_OCTETS, VALUE_OCTETS } from "./field-syntax.ts";

export type ChunkedOutcome =
  /** The whole chunk belonged to the body, and more must follow. */
  | { readonly kind: "more" }
  /** The body is complete: its last `consumed` bytes are in this chunk, and the next request begins after them. */
  | { readonly kind: "done"; readonly consumed: number }
  | { readonly kind: "reject"; readonly refusal: Refusal };

/** Up to 2^64 - 1, to distinguish a size that is too long from a malformed one. */
const MAX_SIZE_DIGITS = 16;
/** For all extensions of a message together: many tiny chunks with long extensions are work without a payload. */
const MAX_EXTENSION_BYTES = 16 * 1024;
/** For all trailer lines together, line ends included. */
const MAX_TRAILER_BYTES = 16 * 1024;

const BAD_CHUNK: Refusal = { status: 400, reason: "bad-chunk" };
const BODY_TOO_LARGE: Refusal = { status: 413, reason: "body-too-large" };
const TRAILER_TOO_LARGE: Refusal = { status: 431, reason: "header-too-large" };

const MORE: ChunkedOutcome = { kind: "more" };

/** What the next byte belongs to. */
type State =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer-start"
  | "trailer-name"
  | "trailer-value"
  | "trailer-lf"
  | "end-lf"
  /** After the body or after a fault: no byte may follow. */
  | "over";

/** The result of one framing byte. */
type Step = undefined | "end" | Refusal;

export class ChunkedDecoder {
  readonly #maxBody: number;
  #state: State = "size";
  #sizeDigits = 0;
  #size = 0;
  #dataLeft = 0;
  /** The sum of all chunk sizes so far. */
  #announced = 0;
  #extension: ExtensionPlace = "semicolon";
  #extensionBytes = 0;
  #trailerBytes = 0;

  /** @param maxBody  for the sum of all data; checked as soon as a size is announced */
  constructor(maxBody: Bytes) {
    this.#maxBody = Math.min(maxBody, Number.MAX_SAFE_INTEGER);
  }

  /**
   * Reads the next bytes of the connection, cut anywhere.
   * @param onData  gets the data in order, never empty: views of `chunk` that are valid during the call
   * @throws when called again after `done` or `reject`
   */
  push(chunk: Uint8Array, onData: (bytes: Uint8Array) => void): ChunkedOutcome {
    if (this.#state === "over") throw new Error("a chunked body was read beyond its end");
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "data") {
        const data = chunk.subarray(at, at + this.#dataLeft);
        at += data.length;
        this.#dataLeft -= data.length;
        if (this.#dataLeft === 0) this.#state = "data-cr";
        onData(data);
        continue;
      }
      const step = this.#readFraming(chunk[at] as number);
      at += 1;
      if (step === undefined) continue;
      this.#state = "over";
      return step === "end" ? { kind: "done", consumed: at } : { kind: "reject", refusal: step };
    }
    return MORE;
  }

  #readFraming(octet: number): Step {
    switch (this.#state) {
      case "size":
        return this.#readSize(octet);
      case "extension":
        return this.#readExtension(octet);
      case "size-lf":
        return this.#expect(octet, LF, this.#dataLeft === 0 ? "trailer-start" : "data");
      case "data-cr":
        return this.#expect(octet, CR, "data-lf");
      case "data-lf":
        this.#size = 0;
        this.#sizeDigits = 0;
        return this.#expect(octet, LF, "size");
      case "end-lf":
        return octet === LF ? "end" : BAD_CHUNK;
      default:
        return this.#readTrailer(octet);
    }
  }

  #readSize(octet: number): Refusal | undefined {
    const digit = hexDigit(octet);
    if (digit !== undefined) {
      this.#sizeDigits += 1;
      this.#size = this.#size * 16 + digit;
      return this.#sizeDigits > MAX_SIZE_DIGITS ? BAD_CHUNK : undefined;
    }
    if (this.#sizeDigits === 0) return BAD_CHUNK;
    if (octet !== CR && octet !== SEMICOLON) return BAD_CHUNK;
    if (this.#size > this.#maxBody - this.#announced) return BODY_TOO_LARGE;

    this.#announced += this.#size;
    this.#dataLeft = this.#size;
    this.#extension = "semicolon";
    return this.#goTo(octet === CR ? "size-lf" : "extension");
  }

  #readExtension(octet: number): Refusal | undefined {
    const step = readExtensionOctet(this.#extension, octet);
    if (step === "malformed") return BAD_CHUNK;
    if (step === "end") return this.#goTo("size-lf");
    this.#extension = step;
    this.#extensionBytes += 1;
    return this.#extensionBytes > MAX_EXTENSION_BYTES ? BAD_CHUNK : undefined;
  }

  // Each line is as strict as in the head (RFC 9112 §7.1.2).
  #readTrailer(octet: number): Refusal | undefined {
    this.#trailerBytes += 1;
    if (this.#trailerBytes > MAX_TRAILER_BYTES) return TRAILER_TOO_LARGE;
    switch (this.#state) {
      case "trailer-start":
        if (octet === CR) return this.#goTo("end-lf");
        return TOKEN_OCTETS[octet] === 1 ? this.#goTo("trailer-name") : BAD_CHUNK;
      case "trailer-name":
        if (octet === COLON) return this.#goTo("trailer-value");
        return TOKEN_OCTETS[octet] === 1 ? undefined : BAD_CHUNK;
      case "trailer-value":
        if (octet === CR) return this.#goTo("trailer-lf");
        return VALUE_OCTETS[octet] === 1 ? undefined : BAD_CHUNK;
      default:
        return this.#expect(octet, LF, "trailer-start");
    }
  }

  #expect(octet: number, wanted: number, next: State): Refusal | undefined {
    return octet === wanted ? this.#goTo(next) : BAD_CHUNK;
  }

  #goTo(state: State): undefined {
    this.#state = state;
  }
}

function hexDigit(octet: number): number | undefined {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}
