/**
 * Reads the server name (RFC 6066 §3) from a ClientHello (RFC 8446 §4.1.2, the same in RFC 5246 §7.4.1.2), which may
 * arrive in any number of records.
 *
 * OpenSSL reads all of it again. We read it first because Node, when asked for an identity in mid-handshake, keeps
 * certificates of another identity beside the new ones. What we cannot read OpenSSL must not read either: it would show a
 * certificate that the client did not ask for. So that is refused here, with the alert that OpenSSL would send.
 */
import type { AlertName } from "./alert.ts";

export type HelloReading =
  | { readonly kind: "need-more" }
  /** `serverName`: as the client wrote it, as latin1; undefined where it names none. */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  | { readonly kind: "refused"; readonly alert: AlertName; readonly why: string };

const NEED_MORE: HelloReading = { kind: "need-more" };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
const MAX_RECORD = 2 ** 14;
/**
 * With the heads of its records. Hellos of browsers take two kilobytes, with post-quantum keys: in records of one byte
 * each that is twelve. All records are read again whenever bytes arrive.
 */
const MAX_HELLO = 2 ** 16;
/** Before the first vector: legacy_version and random. */
const FIXED_PART = 2 + 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const MAX_NAME = 255;

/** @param bytes  all received so far, from the start of the first record */
export function readClientHello(bytes: Uint8Array): HelloReading {
  const { content, end } = measureRecords(bytes);
  const reading = readMessage(bytes, content);
  if (reading.kind !== "need-more") return reading;
  if (end !== undefined) return end;
  return bytes.length < MAX_HELLO ? NEED_MORE : TOO_LONG;
}

interface Records {
  /** Bytes in the handshake records at the start. The last record may be incomplete. */
  readonly content: number;
  /** Why no more of the message can arrive. */
  readonly end: HelloReading | undefined;
}

function measureRecords(bytes: Uint8Array): Records {
  let content = 0;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE_RECORD) return { content, end: INTERLEAVED };
    if (bytes.length < at + RECORD_HEAD) break;
    const length = recordLength(bytes, at);
    if (length === 0) return { content, end: EMPTY_RECORD };
    if (length > MAX_RECORD) return { content, end: LONG_RECORD };
    at += RECORD_HEAD;
    content += Math.min(length, bytes.length - at);
    at += length;
  }
  return { content, end: undefined };
}

/** @param content  bytes of the message and what follows it, as far as they have arrived */
function readMessage(bytes: Uint8Array, content: number): HelloReading {
  const head = takeContent(bytes, Math.min(content, MESSAGE_HEAD));
  if (head.length > 0 && head[0] !== CLIENT_HELLO) return OTHER_MESSAGE;
  if (head.length < MESSAGE_HEAD) return NEED_MORE;
  const end = MESSAGE_HEAD + readNumber(head.subarray(1));
  if (end > MAX_HELLO) return TOO_LONG;
  return content < end ? NEED_MORE : readHello(new Cursor(takeContent(bytes, end).subarray(MESSAGE_HEAD)));
}

/** @param length  no more than the records contain @returns the first bytes of their content */
function takeContent(bytes: Uint8Array, length: number): Uint8Array {
  // Nearly always one record contains all of it.
  if (length <= recordLength(bytes, 0)) return bytes.subarray(RECORD_HEAD, RECORD_HEAD + length);
  const content = Buffer.alloc(length);
  for (let [from, to] = [0, 0]; to < length; ) {
    const part = bytes.subarray(from + RECORD_HEAD, from + RECORD_HEAD + recordLength(bytes, from));
    content.set(part.subarray(0, length - to), to);
    to += part.length;
    from += RECORD_HEAD + part.length;
  }
  return content;
}

/** Of the record that begins there; NaN where its head has not arrived. */
function recordLength(bytes: Uint8Array, at: number): number {
  return Number(bytes[at + 3]) * 256 + Number(bytes[at + 4]);
}

/** Big-endian. */
function readNumber(octets: Uint8Array): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function readHello(hello: Cursor): HelloReading {
  hello.skip(FIXED_PART);
  hello.takeVector(1); // legacy_session_id
  hello.takeVector(2); // cipher_suites
  hello.takeVector(1); // legacy_compression_methods
  // TLS 1.2 clients may send no extensions.
  if (hello.isAtEnd) return NAMELESS;
  const extensions = hello.takeVector(2);
  let names: Cursor | undefined;
  while (!extensions.isAtEnd && !extensions.isBroken) {
    const type = extensions.takeNumber(2);
    const content = extensions.takeVector(2);
    if (type !== SERVER_NAME) continue;
    if (names !== undefined) return TWICE;
    names = content;
  }
  if (hello.isBroken || extensions.isBroken || !hello.isAtEnd) return BROKEN;
  return names === undefined ? NAMELESS : readNames(names);
}

/** One name: there is only one type of name, and it may occur only once. */
function readNames(content: Cursor): HelloReading {
  const list = content.takeVector(2);
  const type = list.takeNumber(1);
  const name = list.takeVector(2).rest;
  if (content.isBroken || !content.isAtEnd || list.isBroken || !list.isAtEnd) return BROKEN;
  if (type !== HOST_NAME || name.length > MAX_NAME || name.includes(0)) return NO_HOST_NAME;
  return name.length === 0 ? NAMELESS : { kind: "hello", serverName: Buffer.from(name).toString("latin1") };
}

/** Whether a certificate can have that name. Others are not passed on to logs and backends. */
export function isHostName(serverName: string): boolean {
  return /^[!-~]+$/.test(serverName);
}

const NAMELESS: HelloReading = { kind: "hello", serverName: undefined };
const refusal = (alert: AlertName, why: string): HelloReading => ({ kind: "refused", alert, why });
const BROKEN = refusal("decode_error", "the ClientHello is malformed");
const TWICE = refusal("illegal_parameter", "the ClientHello is malformed");
const TOO_LONG = refusal("illegal_parameter", "the ClientHello is too long");
const OTHER_MESSAGE = refusal("unexpected_message", "no ClientHello");
const NO_HOST_NAME = refusal("unrecognized_name", "the SNI name is no host name");
// RFC 8446 §5.1: no other record between those of one message, and no empty handshake record.
const INTERLEAVED = refusal("unexpected_message", "a record of another type within the ClientHello");
const EMPTY_RECORD = refusal("unexpected_message", "an empty handshake record");
const LONG_RECORD = refusal("record_overflow", "a TLS record is too long");

/** Reads from the front. A read beyond the end returns nothing and marks the cursor broken. */
export class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  skip(length: number): void {
    this.#take(length);
  }

  takeNumber(octets: number): number {
    return readNumber(this.#take(octets));
  }

  /** @param octets  of the length field before the vector */
  takeVector(octets: number): Cursor {
    return new Cursor(this.#take(this.takeNumber(octets)));
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.isBroken = true;
    if (this.isBroken) return new Uint8Array(0);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
