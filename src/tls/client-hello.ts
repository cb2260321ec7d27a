/**
 * Reads the server name (RFC 6066 §3) from a ClientHello (RFC 8446 §4.1.2, the same in RFC 5246 §7.4.1.2).
 *
 * OpenSSL reads all of it again and rejects errors. We read it first because Node, when asked for an identity in
 * mid-handshake, keeps certificates of another identity beside the new ones.
 */

export type HelloReading =
  | { readonly kind: "need-more" }
  /** `serverName`: as the client wrote it; undefined where it names none, or one that no certificate can have. */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  /** OpenSSL will report the reason. */
  | { readonly kind: "unreadable" };

const NEED_MORE: HelloReading = { kind: "need-more" };
const UNREADABLE: HelloReading = { kind: "unreadable" };

const NOTHING = new Uint8Array(0);
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
const MAX_RECORD = 2 ** 14;
/** Clients need only a few, and all records are read again whenever bytes arrive. */
const MAX_RECORDS = 64;
/** Hellos of browsers take two kilobytes, with post-quantum keys. */
const MAX_HELLO = 2 ** 16;
/** Before the first vector: legacy_version and random. */
const FIXED_PART = 2 + 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** @param bytes  all received so far, from the start of the first record */
export function readClientHello(bytes: Uint8Array): HelloReading {
  const { parts, isOver } = splitRecords(bytes);
  const [first = NOTHING] = parts;
  const reading = readMessage(parts.length === 1 ? first : Buffer.concat(parts));
  return isOver && reading.kind === "need-more" ? UNREADABLE : reading;
}

interface Records {
  /** The content of each record; the last may be incomplete. */
  readonly parts: readonly Uint8Array[];
  /** No more of the message can arrive. */
  readonly isOver: boolean;
}

/** The handshake records at the start of the bytes. Others read what follows them. */
function splitRecords(bytes: Uint8Array): Records {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE_RECORD || parts.length === MAX_RECORDS) return { parts, isOver: true };
    if (bytes.length < at + RECORD_HEAD) break;
    const length = readNumber(bytes.subarray(at + 3, at + RECORD_HEAD));
    if (length === 0 || length > MAX_RECORD) return { parts, isOver: true };
    at += RECORD_HEAD;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { parts, isOver: false };
}

/** @param message  as far as it has arrived */
function readMessage(message: Uint8Array): HelloReading {
  if (message.length > 0 && message[0] !== CLIENT_HELLO) return UNREADABLE;
  if (message.length < MESSAGE_HEAD) return NEED_MORE;
  const end = MESSAGE_HEAD + readNumber(message.subarray(1, MESSAGE_HEAD));
  if (end > MAX_HELLO) return UNREADABLE;
  return message.length < end ? NEED_MORE : readHello(new Cursor(message.subarray(MESSAGE_HEAD, end)));
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
  if (hello.isAtEnd) return { kind: "hello", serverName: undefined };
  const extensions = hello.takeVector(2);
  let serverName: string | undefined;
  while (!extensions.isAtEnd && !extensions.isBroken) {
    const type = extensions.takeNumber(2);
    const content = extensions.takeVector(2);
    if (type === SERVER_NAME) serverName = readName(content.takeVector(2));
  }
  return hello.isBroken || extensions.isBroken ? UNREADABLE : { kind: "hello", serverName };
}

/** The first name in the list: there is only one type of name, and it may occur only once. */
function readName(list: Cursor): string | undefined {
  const type = list.takeNumber(1);
  const name = Buffer.from(list.takeVector(2).rest).toString("latin1");
  return !list.isBroken && type === HOST_NAME && /^[!-~]{1,255}$/.test(name) ? name : undefined;
}

/** Reads from the front. A read beyond the end returns nothing and marks the cursor broken. */
class Cursor {
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
