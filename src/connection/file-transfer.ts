/** Sends slices of an open file: one piece at a time is read and written, at the client's pace. */
import { fstatSync, read } from "node:fs";
import { bytes } from "../base/units.ts";
import { contentFitting, writeChunks } from "../http/chunked-encoder.ts";
import type { SendOutcome } from "../http/exchange.ts";
import type { BodyPlan, OpenSource } from "../http/response-plan.ts";
import type { BufferPool } from "./buffer-pool.ts";

export type FileBody = Extract<BodyPlan, { kind: "file" | "parts" | "chunked" }>;
type SlicesBody = Exclude<FileBody, { kind: "chunked" }>;
type ChunkedBody = Extract<FileBody, { kind: "chunked" }>;

/** Writes to the client. Resolves when the chunks may be reused; false: the client has disconnected. */
export type SendChunks = (chunk: Uint8Array, second?: Uint8Array) => boolean | Promise<boolean>;

type Piece =
  | { readonly kind: "text"; readonly bytes: Uint8Array }
  | { readonly kind: "slice"; readonly start: number; readonly end: number };

/** Each piece of a transfer may be twice as large as the last, so a client that reads nothing gets no large buffer. */
const FIRST_PIECE = 128 * 1024;

/**
 * A file that no longer matches its head ends the transfer as `changed`; the connection must then be cut.
 * @param head  of the response; leaves together with the first slice
 * @param send  called for one write at a time, never after it returned false
 */
export async function transferFile(
  head: Uint8Array,
  body: FileBody,
  buffers: BufferPool,
  send: SendChunks,
): Promise<SendOutcome> {
  return body.kind === "chunked"
    ? transferChunks(head, body, buffers, send)
    : transferPieces(head, piecesOf(body), body.source, buffers, send);
}

async function transferPieces(
  head: Uint8Array,
  pieces: readonly Piece[],
  source: OpenSource,
  buffers: BufferPool,
  send: SendChunks,
): Promise<SendOutcome> {
  // Text waits for the next slice, so that a head never becomes its own packet.
  let text = head;
  let most = FIRST_PIECE;
  const last = pieces.findLast((piece) => piece.kind === "slice");
  for (const piece of pieces) {
    if (piece.kind === "text") {
      text = text.length === 0 ? piece.bytes : Buffer.concat([text, piece.bytes]);
      continue;
    }
    for (let position = piece.start; position < piece.end; ) {
      const { descriptor } = source;
      const left = piece.end - position;
      const from = position;
      const read = (into: Buffer) => readFully(descriptor, into, Math.min(into.length, left), from);
      const buffer = await buffers.fill(Math.min(most, left), read);
      if (buffer === undefined) return "changed";
      try {
        const slice = buffer.subarray(0, left);
        position += slice.length;
        // Checked before the last bytes leave: the client must not get a complete body made of two versions.
        if (piece === last && position === piece.end && !isUnchanged(source)) return "changed";
        if (!(await (text.length === 0 ? send(slice) : send(text, slice)))) return "cut";
      } finally {
        buffers.give(buffer);
      }
      most *= 2;
      text = NOTHING;
    }
  }
  if (text.length > 0 && !(await send(text))) return "cut";
  return "sent";
}

const NOTHING = new Uint8Array(0);

async function transferChunks(
  head: Uint8Array,
  { source, size }: ChunkedBody,
  buffers: BufferPool,
  send: SendChunks,
): Promise<SendOutcome> {
  let text = head;
  let isEnd = false;
  for (let position = 0, most = FIRST_PIECE; !isEnd; most *= 2) {
    const from = position;
    // At the end of the buffer, so that the chunks can be built from its beginning.
    const contentOf = (within: Buffer): Buffer =>
      within.subarray(within.length - Math.min(contentFitting(bytes(within.length)), size - from));
    const read = (into: Buffer) => readFully(source.descriptor, contentOf(into), contentOf(into).length, from);
    const buffer = await buffers.fill(most, read);
    if (buffer === undefined) return "changed";
    try {
      const content = contentOf(buffer);
      position += content.length;
      isEnd = position === size;
      if (isEnd && !isUnchanged(source)) return "changed";
      const chunks = buffer.subarray(0, writeChunks(content, buffer, isEnd));
      if (!(await (text.length === 0 ? send(chunks) : send(text, chunks)))) return "cut";
    } finally {
      buffers.give(buffer);
    }
    text = NOTHING;
  }
  return "sent";
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

/** @returns false when the file ends before `length` bytes */
async function readFully(descriptor: number, buffer: Buffer, length: number, position: number): Promise<boolean> {
  for (let filled = 0; filled < length; ) {
    const count = await readSome(descriptor, buffer, filled, length - filled, position + filled);
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

function readSome(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Link count, owner and mode may change during a download; size and mtime may not. */
function isUnchanged({ descriptor, identity }: OpenSource): boolean {
  const now = fstatSync(descriptor, { bigint: true });
  return now.size === BigInt(identity.size) && now.mtimeNs === identity.modifiedNs;
}
