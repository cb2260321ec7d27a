/** Encodes a body in the chunked coding (RFC 9112 §7.1): chunks of 8 KiB, then the rest; no extensions or trailer. */
import { Buffer } from "node:buffer";
import { type Bytes, bytes } from "../base/units.ts";

const CHUNK_SIZE = 8192;
const FULL_SIZE_LINE = formatSizeLine(CHUNK_SIZE);
const LINE_END = Buffer.from("\r\n", "latin1");
const LAST_CHUNK = Buffer.from("0\r\n\r\n", "latin1");
const FULL_CHUNK = FULL_SIZE_LINE.length + CHUNK_SIZE + LINE_END.length;

export function chunkedLength(size: Bytes): Bytes {
  const rest = size % CHUNK_SIZE;
  const restChunk = rest === 0 ? 0 : formatSizeLine(rest).length + rest + LINE_END.length;
  return bytes(Math.floor(size / CHUNK_SIZE) * FULL_CHUNK + restChunk + LAST_CHUNK.length);
}

/** The whole body for content that is in memory. */
export function encodeChunked(content: Uint8Array): Uint8Array {
  const body = Buffer.allocUnsafeSlow(chunkedLength(bytes(content.length)));
  writeChunks(content, body, true);
  return body;
}

/** How much content fits in a buffer as whole chunks, at least one, with the end of the body. */
export function contentFitting(room: Bytes): Bytes {
  const chunks = Math.floor((room - LAST_CHUNK.length) / FULL_CHUNK);
  if (chunks < 1) throw new Error(`no chunk fits a buffer of ${room} bytes`);
  return bytes(chunks * CHUNK_SIZE);
}

/**
 * Writes content as chunks to the beginning of `target`. The content may be in `target` itself, at its very end: the
 * chunks grow from the front and never reach what must still be moved, as all of them fit.
 * @param isEnd  the body ends here
 * @returns how many bytes were written
 */
export function writeChunks(content: Uint8Array, target: Uint8Array, isEnd: boolean): number {
  let at = 0;
  const write = (piece: Uint8Array): void => {
    target.set(piece, at);
    at += piece.length;
  };
  for (let from = 0; from < content.length; from += CHUNK_SIZE) {
    const chunk = content.subarray(from, from + CHUNK_SIZE);
    write(chunk.length === CHUNK_SIZE ? FULL_SIZE_LINE : formatSizeLine(chunk.length));
    write(chunk);
    write(LINE_END);
  }
  if (isEnd) write(LAST_CHUNK);
  return at;
}

function formatSizeLine(size: number): Uint8Array {
  return Buffer.from(`${size.toString(16)}\r\n`, "latin1");
}
