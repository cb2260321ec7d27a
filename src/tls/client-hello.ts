/**
 * What a ClientHello says before anybody answers it (RFC 8446 §4.1.2, the same in RFC 5246 §7.4.1.2): the name of the server
 * that the client wants (RFC 6066 §3).
 *
 * OpenSSL reads all of it again, and refuses what is wrong with it. It is read here first because Node, asked for the
 * identity in the middle of a handshake, leaves certificates of another identity in place beside those it is given.
 */

export type HelloReading =
  | { readonly kind: "need-more" }
  /** `serverName`: as the client wrote it; undefined where it asks for none, or for one that no certificate could have. */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  /** OpenSSL will say why. */
  | { readonly kind: "unreadable" };

const NEED_MORE: HelloReading = { kind: "need-more" };
const UNREADABLE: HelloReading = { kind: "unreadable" };

const NOTHING = new Uint8Array(0);
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
const MAX_RECORD = 2 ** 14;
/** Nobody needs more than a few, and each time that some bytes come all are looked at again. */
const MAX_RECORDS = 64;
/** Those of browsers take two kilobytes, with keys against quantum computers. */
const MAX_HELLO = 2 ** 16;
/** Before the first vector: legacy_version and random. */
const FIXED_PART = 2 + 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** @param bytes  all that came so far: records, of which the first begins here */
export function readClientHello(bytes: Uint8Array): HelloReading {
  const { parts, isOver } = splitRecords(bytes);
  const [first = NOTHING] = parts;
  const reading = readMessage(parts.length === 1 ? first : Buffer.concat(parts));
  return isOver && reading.kind === "need-more" ? UNREADABLE : reading;
}

interface Records {
  /** What each carries, the last perhaps not whole. */
  readonly parts: readonly Uint8Array[];
  /** Nothing more of the message can come. */
  readonly isOver: boolean;
}

/** The records of a handshake with which the bytes begin. What is behind them is for others to read. */
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

/** @param message  as far as it has come */
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
  // TLS 1.2 may go without extensions.
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

/** The first name in the list; there is no kind but one, and it may be there once. */
function readName(list: Cursor): string | undefined {
  const type = list.takeNumber(1);
  const name = Buffer.from(list.takeVector(2).rest).toString("latin1");
  return !list.isBroken && type === HOST_NAME && /^[!-~]{1,255}$/.test(name) ? name : undefined;
}

/** Reads from the front. Whoever reads beyond the end gets nothing, and it is broken from then on. */
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

  /** @param octets  of the length that stands before it */
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
