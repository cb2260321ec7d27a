/**
 * Bytes become a `RequestHead` (RFC 9112 §2 to §5). Strict where the RFC leaves the choice: bare LF, obs-fold, blanks
 * beside the target and anything else that two readers could understand differently is rejected. The meaning of a byte
 * never depends on its packet: each check and limit refers to a position in the head. A head that arrives in one piece
 * is read in place, in one pass. Pieces are collected; each push resumes at the incomplete line.
 */
import type { ErrorStatus } from "../base/status.ts";
import type { Bytes } from "../base/units.ts";
import type { Refusal } from "./exchange.ts";
import type { FieldBlocks, KnownFields } from "./field-blocks.ts";
import { COLON, CR, HTAB, LF, SP, TOKEN_OCTETS, VALUE_OCTETS, VISIBLE_OCTETS } from "./field-syntax.ts";
import { type Host, parseHost } from "./host.ts";
import { fieldNameBit, ParsedFields } from "./parsed-fields.ts";
import type { Reason } from "./reason.ts";
import { parseMethod, type RequestFields, type RequestHead } from "./request-head.ts";
import { parseRequestTarget } from "./request-target.ts";

export interface HeadLimits {
  /** The request line, without its line end. */
  readonly maxTarget: Bytes;
  /** All field lines together, with their line ends and the final empty line. */
  readonly maxHeader: Bytes;
  readonly maxFields: number;
}

export type ParseResult =
  | { readonly kind: "need-more" }
  /** `consumed`: how many bytes of this push belonged to the head; body or the next request follow. */
  | { readonly kind: "head"; readonly head: RequestHead; readonly consumed: number }
  /** The connection must close: nothing after this point can be trusted. */
  | { readonly kind: "reject"; readonly refusal: Refusal; readonly requestLine: string };

/** Empty lines a client may send before a request (RFC 9112 §2.2 asks for one; an endless run is an attack). */
const MAX_EMPTY_LINES = 4;
/** `HTTP/1.1` */
const VERSION_LENGTH = 8;
/** How much of a rejected request line the log gets. */
const MAX_LOGGED_LINE = 1024;

const NEED_MORE: ParseResult = { kind: "need-more" };

/** Where a scan of one line ended: the position after it, or one of these. */
const INCOMPLETE = -1;
const REFUSED = -2;
const HEAD_COMPLETE = -3;

export class RequestParser {
  readonly #limits: HeadLimits;
  readonly #blocks: FieldBlocks | undefined;
  /** The bytes of an incomplete head; the parser's own copy. */
  #held: Buffer | undefined;
  #heldLength = 0;

  // Positions count from the head's first byte (after empty lines), places from the first field line.
  #lineStart = 0;
  #emptyLines = 0;
  #methodEnd = 0;
  #targetEnd = 0;
  /** 0 while the request line is not complete. */
  #fieldsStart = 0;
  #headEnd = 0;
  #places: number[] = [];
  #bits = 0;
  #known: KnownFields | undefined;
  #refusal: Refusal | undefined;

  /** @param blocks  known field lines; shared only by parsers of the same limits */
  constructor(limits: HeadLimits, blocks?: FieldBlocks) {
    this.#limits = limits;
    this.#blocks = blocks;
  }

  /** True between heads: apart from empty lines, no byte of the next one has arrived. */
  get isEmpty(): boolean {
    return this.#heldLength === 0;
  }

  /** The request line as far as it has arrived: for the log, when the head stays incomplete. */
  get partialLine(): string {
    return this.#held === undefined ? "" : requestLineIn(this.#held.subarray(0, this.#heldLength));
  }

  /** The caller may re-use `chunk` afterwards. After `reject` the parser must not be used again. */
  push(chunk: Buffer): ParseResult {
    if (this.#heldLength === 0) return this.#read(chunk, chunk.length, 0);
    const before = this.#heldLength;
    const held = this.#hold(chunk);
    return this.#read(held, this.#heldLength, before);
  }

  /** @param before  how many of the bytes were there before this push */
  #read(bytes: Buffer, length: number, before: number): ParseResult {
    const start = this.#fieldsStart === 0 && this.#lineStart === 0 ? this.#skipEmptyLines(bytes, length) : 0;
    if (start === REFUSED) return this.#reject(bytes, 0, length);
    const outcome = this.#scan(bytes, start, length);
    if (outcome === REFUSED) return this.#reject(bytes, start, length);
    if (outcome === INCOMPLETE) {
      this.#keep(bytes, start, length);
      return NEED_MORE;
    }
    const end = start + this.#headEnd;
    const head = this.#finish(bytes, start, end);
    if (head === undefined) return this.#reject(bytes, start, length);
    this.#reset();
    return { kind: "head", head, consumed: end - before };
  }

  /** @returns the position after the empty lines, or REFUSED */
  #skipEmptyLines(bytes: Buffer, length: number): number {
    let at = 0;
    while (at + 1 < length && bytes[at] === CR && bytes[at + 1] === LF) {
      at += 2;
      this.#emptyLines += 1;
      if (this.#emptyLines > MAX_EMPTY_LINES) return this.#refuse(400, "bad-request-line");
    }
    return at;
  }

  #scan(bytes: Buffer, start: number, length: number): number {
    if (this.#fieldsStart === 0) {
      const outcome = this.#scanRequestLine(bytes, start, length);
      if (outcome < 0) return outcome;
      this.#fieldsStart = outcome - start;
      this.#lineStart = outcome - start;
      this.#known = this.#blocks?.find(bytes, outcome, length);
      if (this.#known !== undefined) {
        this.#headEnd = length - start;
        return HEAD_COMPLETE;
      }
    }
    for (;;) {
      const outcome = this.#scanFieldLine(bytes, start, length);
      if (outcome === HEAD_COMPLETE) return outcome;
      if (outcome < 0) return outcome;
      this.#lineStart = outcome - start;
    }
  }

  #scanRequestLine(bytes: Buffer, start: number, length: number): number {
    const limit = start + this.#limits.maxTarget;
    const end = Math.min(length, limit);
    const beyond = (): number => (length >= limit ? this.#refuse(414, "target-too-long") : INCOMPLETE);

    let at = start;
    while (at < end && TOKEN_OCTETS[bytes[at] as number] === 1) at += 1;
    // A CR here may be half of an empty line, whose LF has not arrived yet.
    if (at === start && at + 1 === length && bytes[at] === CR) return INCOMPLETE;
    if (at >= end) return beyond();
    if (at === start || bytes[at] !== SP) return this.#refuse(400, "bad-request-line");
    this.#methodEnd = at - start;

    at += 1;
    const targetStart = at;
    while (at < end && VISIBLE_OCTETS[bytes[at] as number] === 1) at += 1;
    if (at >= end) return beyond();
    if (bytes[at] === CR || bytes[at] === LF || at === targetStart) return this.#refuse(400, "bad-request-line");
    if (bytes[at] !== SP) return this.#refuse(400, "bad-target");
    this.#targetEnd = at - start;

    at += 1;
    const versionStart = at;
    while (at < end && VISIBLE_OCTETS[bytes[at] as number] === 1) at += 1;
    if (at >= length) return INCOMPLETE;
    if (at >= limit && bytes[at] !== CR) return beyond();
    if (bytes[at] === SP || bytes[at] === HTAB) return this.#refuse(400, "bad-request-line");
    if (bytes[at] !== CR) return this.#refuse(400, bytes[at] === LF ? "bad-line-end" : "bad-version");
    const version = this.#checkVersion(bytes, versionStart, at);
    if (version === REFUSED) return REFUSED;
    if (at + 1 >= length) return INCOMPLETE;
    if (bytes[at + 1] !== LF) return this.#refuse(400, "bad-line-end");
    return at + 2;
  }

  /** `HTTP/` digit `.` digit, and major version 1 (RFC 9112 §2.3). */
  #checkVersion(bytes: Buffer, start: number, end: number): number {
    if (end - start !== VERSION_LENGTH) return this.#refuse(400, "bad-version");
    const text = bytes.toString("latin1", start, end);
    if (text === "HTTP/1.1" || text === "HTTP/1.0") return 0;
    if (!/^HTTP\/[0-9]\.[0-9]$/.test(text)) return this.#refuse(400, "bad-version");
    return text.startsWith("HTTP/1.") ? 0 : this.#refuse(505, "version-unsupported");
  }

  #scanFieldLine(bytes: Buffer, start: number, length: number): number {
    const limit = start + this.#fieldsStart + this.#limits.maxHeader;
    const end = Math.min(length, limit);
    const lineStart = start + this.#lineStart;
    const beyond = (): number => (length >= limit ? this.#refuse(431, "header-too-large") : INCOMPLETE);

    let at = lineStart;
    if (at >= end) return beyond();
    if (bytes[at] === CR) {
      if (at + 1 >= end) return beyond();
      if (bytes[at + 1] !== LF) return this.#refuse(400, "bad-line-end");
      this.#headEnd = at + 2 - start;
      return HEAD_COMPLETE;
    }
    if (this.#places.length === this.#limits.maxFields * 4) return this.#refuse(431, "header-too-large");

    while (at < end && TOKEN_OCTETS[bytes[at] as number] === 1) at += 1;
    if (at >= end) return beyond();
    if (bytes[at] !== COLON || at === lineStart) return this.#refuse(400, this.#faultOfName(bytes, lineStart, at));
    const nameEnd = at;

    at += 1;
    while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at += 1;
    const valueStart = at;
    while (at < end && VALUE_OCTETS[bytes[at] as number] === 1) at += 1;
    if (at >= end) return beyond();
    if (bytes[at] === LF) return this.#refuse(400, "bad-line-end");
    if (bytes[at] !== CR) return this.#refuse(400, "bad-field");
    if (at + 1 >= end) return beyond();
    if (bytes[at + 1] !== LF) return this.#refuse(400, "bad-line-end");

    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd -= 1;
    const block = start + this.#fieldsStart;
    this.#places.push(lineStart - block, nameEnd - block, valueStart - block, valueEnd - block);
    this.#bits |= fieldNameBit(nameEnd - lineStart, bytes[lineStart] as number, bytes[nameEnd - 1] as number);
    return at + 2;
  }

  #faultOfName(bytes: Buffer, lineStart: number, at: number): Reason {
    if (bytes[at] === LF) return "bad-line-end";
    const isFolded = at === lineStart && (bytes[at] === SP || bytes[at] === HTAB);
    return isFolded && this.#places.length > 0 ? "obs-fold" : "bad-field";
  }

  /** Checks that need a complete head. Undefined: refused. */
  #finish(bytes: Buffer, start: number, end: number): RequestHead | undefined {
    const fieldsStart = start + this.#fieldsStart;
    const requestLine = bytes.toString("latin1", start, fieldsStart - 2);
    const method = parseMethod(requestLine.slice(0, this.#methodEnd));
    if (method === undefined) return this.#refuseHead(501, "unknown-method");
    const target = parseRequestTarget(method, requestLine.slice(this.#methodEnd + 1, this.#targetEnd));
    if (target.kind === "reject") return this.#refuseHead(400, "bad-target");
    // The bytes after a CONNECT are not HTTP, whatever we respond.
    if (target.kind === "connect") return this.#refuseHead(405, "method-not-allowed");

    const version = requestLine.endsWith("HTTP/1.0") ? "1.0" : "1.1";
    const { fields, host } = this.#known ?? this.#readFields(bytes, fieldsStart, end);
    if (host === "refused" || (host === undefined && version === "1.1")) return this.#refuseHead(400, "bad-host");
    const { path, query } = target;
    return { method, requestLine, path, query, host: target.host ?? host, version, fields };
  }

  #readFields(bytes: Buffer, start: number, end: number): KnownFields {
    const fields = new ParsedFields(bytes.toString("latin1", start, end), this.#places, this.#bits);
    const known = { fields, host: readHost(fields) };
    this.#blocks?.keep(bytes, start, end, known);
    return known;
  }

  #refuse(status: ErrorStatus, reason: Reason): number {
    this.#refusal = { status, reason };
    return REFUSED;
  }

  #refuseHead(status: ErrorStatus, reason: Reason): undefined {
    this.#refusal = { status, reason };
    return undefined;
  }

  #reject(bytes: Buffer, start: number, length: number): ParseResult {
    const refusal = this.#refusal ?? { status: 400, reason: "bad-request-line" };
    return { kind: "reject", refusal, requestLine: requestLineIn(bytes.subarray(start, length)) };
  }

  /** Appends to the held bytes what can still belong to this head. */
  #hold(chunk: Buffer): Buffer {
    const length = this.#heldLength + chunk.length;
    let held = this.#held;
    if (held === undefined || held.length < length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * (held?.length ?? 512)));
      held?.copy(grown, 0, 0, this.#heldLength);
      held = grown;
    }
    chunk.copy(held, this.#heldLength);
    this.#held = held;
    this.#heldLength = length;
    return held;
  }

  #keep(bytes: Buffer, start: number, length: number): void {
    if (bytes === this.#held) {
      bytes.copyWithin(0, start, length);
      this.#heldLength = length - start;
      return;
    }
    this.#heldLength = 0;
    this.#hold(bytes.subarray(start, length));
  }

  #reset(): void {
    this.#held = undefined;
    this.#heldLength = 0;
    this.#lineStart = 0;
    this.#emptyLines = 0;
    this.#fieldsStart = 0;
    if (this.#known === undefined) this.#places = [];
    this.#bits = 0;
    this.#known = undefined;
  }
}

function readHost(fields: RequestFields): Host | undefined | "refused" {
  const text = fields.get("host");
  if (text === undefined) return undefined;
  // parseHost would reject the comma of a joined value too; counting makes the rule clear.
  return (fields.all("host").length === 1 ? parseHost(text) : undefined) ?? "refused";
}

/** The request line as far as it has arrived, without its line end, bounded. */
function requestLineIn(bytes: Buffer): string {
  const text = bytes.toString("latin1", 0, Math.min(bytes.length, MAX_LOGGED_LINE));
  const lineEnd = text.search(/\r?\n/);
  return lineEnd === -1 ? text : text.slice(0, lineEnd);
}
