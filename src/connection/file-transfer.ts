/**
 * Sends slices of an open file: one piece at a time is read and written, at the client's pace.
 *
 * The client must never get a complete body made of two versions. So the last piece waits until the file is known to have
 * held all that was sent, at one moment: either stat(2) still says what it said at the opening, or a second pass over the
 * same slices finds the same checksum. That moment is then the one between the two passes. A file that only grows, or is
 * touched, passes; one that was rewritten does not. A part that the client joins with bytes it holds passes only by stat(2).
 * A checksum costs as much as half of a fast transfer. One that is fast does without after its first part, if its file was
 * quiet: it is soon over, and a change in that time, of whatever kind, ends it.
 * Not detected: a checksum that is the same by chance (1 in 4 thousand
 * million), a change that is taken back before the second pass, and writing through a memory map that leaves the times.
 */
import { type BigIntStats, fstatSync, read } from "node:fs";
import { crc32 } from "node:zlib";
import { type Clock, systemClock } from "../base/clock.ts";
import { errorCode, fileFailureOf } from "../base/errors.ts";
import { bytes, milliseconds } from "../base/units.ts";
import { contentFitting, writeChunks } from "../http/chunked-encoder.ts";
import type { SendOutcome, SourceFailure } from "../http/exchange.ts";
import { wasChangedWithin } from "../http/file-identity.ts";
import type { BodyPlan, OpenSource } from "../http/response-plan.ts";
import type { BufferPool } from "./buffer-pool.ts";

export type FileBody = Extract<BodyPlan, { kind: "file" | "parts" | "chunked" }>;
type SlicesBody = Exclude<FileBody, { kind: "chunked" }>;
type ChunkedBody = Extract<FileBody, { kind: "chunked" }>;

/** Writes to the client. Resolves when the chunks may be reused; false: the client has disconnected. */
export type SendChunks = (chunk: Uint8Array, second?: Uint8Array) => boolean | Promise<boolean>;

interface Slice {
  readonly start: number;
  readonly end: number;
}

/** Each piece of a transfer may be twice as large as the last, so a client that reads nothing gets no large buffer. */
const FIRST_PIECE = 128 * 1024;

/** A file that was changed so recently may be a log, or under way. */
const QUIET_AFTER = milliseconds(10_000);
/** So many bytes of each transfer have a checksum, and all of one that is slower, in bytes per millisecond. */
const CHECKED_AT_LEAST = 4 * 1024 * 1024;
const FAST = 100_000;

type Piece = { readonly kind: "text"; readonly bytes: Uint8Array } | ({ readonly kind: "slice" } & Slice);

/**
 * @param head  of the response; leaves together with the first slice, so never with a failure found before it
 * @param send  called for one write at a time, never after it returned false
 * @param clock  tells whether the file is quiet and the transfer fast
 * @returns a failure when the file no longer matches its head, or cannot be read
 */
export async function transferFile(
  head: Uint8Array,
  body: FileBody,
  buffers: BufferPool,
  send: SendChunks,
  clock: Clock = systemClock,
): Promise<SendOutcome> {
  let isHeadSent = false;
  const sendNext: SendChunks = (chunk, second) => {
    isHeadSent = true;
    return send(chunk, second);
  };
  try {
    const isJoined = body.kind !== "chunked" && body.isJoined;
    const reader = new SliceReader(body.source, slicesOf(body), isJoined, buffers, clock);
    return body.kind === "chunked"
      ? await transferChunks(head, body, reader, sendNext)
      : await transferPieces(head, piecesOf(body), reader, sendNext);
  } catch (error) {
    if (error instanceof SourceFault) return { kind: error.kind, why: error.message, isHeadSent };
    throw error;
  }
}

async function transferPieces(
  head: Uint8Array,
  pieces: readonly Piece[],
  reader: SliceReader,
  send: SendChunks,
): Promise<SendOutcome> {
  // Text waits for the next slice, so that a head never becomes its own packet.
  let text = head;
  let most = FIRST_PIECE;
  for (const piece of pieces) {
    if (piece.kind === "text") {
      text = text.length === 0 ? piece.bytes : Buffer.concat([text, piece.bytes]);
      continue;
    }
    for (let position = piece.start; position < piece.end; ) {
      const left = piece.end - position;
      const sliceOf = (buffer: Buffer): Buffer => buffer.subarray(0, left);
      const isOpen = await reader.read(Math.min(most, left), position, sliceOf, (buffer) => {
        const slice = sliceOf(buffer);
        position += slice.length;
        most = Math.max(most, 2 * slice.length);
        return text.length === 0 ? send(slice) : send(text, slice);
      });
      if (!isOpen) return "cut";
      text = NOTHING;
    }
  }
  if (text.length > 0 && !(await send(text))) return "cut";
  return "sent";
}

const NOTHING = new Uint8Array(0);

async function transferChunks(
  head: Uint8Array,
  { size }: ChunkedBody,
  reader: SliceReader,
  send: SendChunks,
): Promise<SendOutcome> {
  let text = head;
  let position = 0;
  for (let most = FIRST_PIECE; ; most *= 2) {
    const left = size - position;
    // At the end of the buffer, so that the chunks can be built from its beginning.
    const contentOf = (buffer: Buffer): Buffer =>
      buffer.subarray(buffer.length - Math.min(contentFitting(bytes(buffer.length)), left));
    const isOpen = await reader.read(most, position, contentOf, (buffer) => {
      const content = contentOf(buffer);
      position += content.length;
      const chunks = buffer.subarray(0, writeChunks(content, buffer, position === size));
      return text.length === 0 ? send(chunks) : send(text, chunks);
    });
    if (!isOpen) return "cut";
    if (position === size) return "sent";
    text = NOTHING;
  }
}

function piecesOf(body: SlicesBody): readonly Piece[] {
  if (body.kind === "file") return [{ kind: "slice", start: body.start, end: body.end }];
  const pieces: Piece[] = [];
  for (const { preamble, start, end } of body.parts) {
    pieces.push({ kind: "text", bytes: preamble }, { kind: "slice", start, end });
  }
  pieces.push({ kind: "text", bytes: body.epilogue });
  return pieces;
}

function slicesOf(body: FileBody): readonly Slice[] {
  if (body.kind === "parts") return body.parts;
  return body.kind === "file" ? [body] : [{ start: 0, end: body.size }];
}

/** Thrown through the loops above; `transferFile` makes an outcome of it. */
class SourceFault extends Error {
  readonly kind: SourceFailure["kind"];

  constructor(kind: SourceFailure["kind"], why: string) {
    super(why);
    this.kind = kind;
  }
}

/** Reads the slices of a body once, in order, and gives out the last bytes only when all are of one version. */
class SliceReader {
  readonly #source: OpenSource;
  readonly #slices: readonly Slice[];
  readonly #isJoined: boolean;
  readonly #buffers: BufferPool;
  readonly #total: number;
  readonly #clock: Clock;
  readonly #began: number;
  /** Its times prove nothing yet, or more changes are likely. */
  readonly #needsChecksum: boolean;
  #count = 0;
  /** Undefined: any change ends the transfer. */
  #checksum: number | undefined;

  constructor(source: OpenSource, slices: readonly Slice[], isJoined: boolean, buffers: BufferPool, clock: Clock) {
    this.#source = source;
    this.#slices = slices;
    this.#isJoined = isJoined;
    this.#checksum = isJoined ? undefined : 0;
    this.#buffers = buffers;
    this.#total = slices.reduce((sum, { start, end }) => sum + end - start, 0);
    this.#clock = clock;
    this.#began = clock.monotonic();
    this.#needsChecksum = !source.isSettled || wasChangedWithin(source.identity, QUIET_AFTER, clock.wall());
  }

  /**
   * Reads the next bytes, from `position`, into a buffer, and gives that back when it has been used.
   * @param most  as in `BufferPool.fill`
   * @param partOf  the part of a buffer to be filled
   * @throws SourceFault
   */
  async read(
    most: number,
    position: number,
    partOf: (buffer: Buffer) => Buffer,
    use: (buffer: Buffer) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const buffer = await this.#buffers.fill(most, (into) => this.#fill(partOf(into), position));
    try {
      await this.#confirm(partOf(buffer));
      return await use(buffer);
    } finally {
      this.#buffers.give(buffer);
    }
  }

  async #confirm(part: Buffer): Promise<void> {
    this.#count += part.length;
    const isEnd = this.#count === this.#total;
    // Many bodies are one read, and most files unchanged: those need no checksum.
    if (isEnd && part.length === this.#total && this.#isUnchanged()) return;
    if (this.#isQuick()) this.#checksum = undefined;
    if (this.#checksum !== undefined) this.#checksum = crc32(part, this.#checksum);
    if (isEnd && !this.#isUnchanged()) await this.#readAgain();
  }

  #isQuick(): boolean {
    if (this.#needsChecksum || this.#count < CHECKED_AT_LEAST) return false;
    return this.#count > (this.#clock.monotonic() - this.#began) * FAST;
  }

  /** The second pass. */
  async #readAgain(): Promise<void> {
    if (this.#isJoined) throw new SourceFault("changed", "the file was changed while a part of it was being sent");
    if (this.#stat().size < BigInt(this.#source.identity.size)) {
      throw new SourceFault("changed", "the file became shorter while it was being sent");
    }
    if (this.#checksum === undefined) throw new SourceFault("changed", "the file was changed while it was being sent");
    let checksum = 0;
    for (const { start, end } of this.#slices) {
      for (let position = start; position < end; ) {
        const left = end - position;
        const from = position;
        const buffer = await this.#buffers.fill(left, (into) => this.#fill(into.subarray(0, left), from));
        const part = buffer.subarray(0, left);
        checksum = crc32(part, checksum);
        position += part.length;
        this.#buffers.give(buffer);
      }
    }
    if (checksum !== this.#checksum) {
      throw new SourceFault("changed", "the file was rewritten while it was being sent");
    }
  }

  async #fill(into: Buffer, position: number): Promise<void> {
    const { descriptor, identity } = this.#source;
    for (let filled = 0; filled < into.length; ) {
      const count = await readSome(descriptor, into, filled, position + filled);
      if (count === 0) {
        throw new SourceFault("changed", `the file ends after ${position + filled} of ${identity.size} bytes`);
      }
      filled += count;
    }
  }

  /** Of a file whose times are not settled, equal ones prove nothing. */
  #isUnchanged(): boolean {
    const { identity, isSettled } = this.#source;
    if (!isSettled) return false;
    const { size, mtimeNs, ctimeNs } = this.#stat();
    return size === BigInt(identity.size) && mtimeNs === identity.modifiedNs && ctimeNs === identity.changedNs;
  }

  #stat(): BigIntStats {
    try {
      return fstatSync(this.#source.descriptor, { bigint: true });
    } catch (error) {
      throw explain(error);
    }
  }
}

/** From `offset` to the end of the buffer, as far as the kernel gives it at once. */
function readSome(fd: number, buffer: Buffer, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, buffer.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(explain(error)),
    );
  });
}

function explain(error: unknown): unknown {
  return fileFailureOf(error) === undefined ? error : new SourceFault("unreadable", errorCode(error) ?? "");
}
