/** The body of a 206 with several parts: multipart/byteranges (RFC 9110 §14.6, RFC 2046 §5.1). */
import { Buffer } from "node:buffer";
import { bytes } from "../base/units.ts";
import { type ByteRange, formatContentRange } from "./byte-range.ts";
import type { EntityTag } from "./entity-tag.ts";
import type { BodyPlan, FileFacts } from "./response-plan.ts";

export type MultipartPlan = Omit<Extract<BodyPlan, { kind: "parts" }>, "kind" | "source" | "isJoined">;

/**
 * The line between the parts: the same for every response with this version of a file. It must not occur in the file.
 * Nothing checks that: the line is made from the tag and from a secret of this process (FNV-1a, 64 bits). A file that
 * was written before its tag existed cannot contain it.
 * @param nonce  random, chosen when the process started
 */
export function formatBoundary(tag: EntityTag, nonce: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const octet of Buffer.from(`${nonce} ${tag.opaque}`, "latin1")) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(octet)) * 0x100000001b3n);
  }
  return `part-${hash.toString(36)}`;
}

/** The Content-Type of the response; each part states that of the file. */
export function formatMultipartType(boundary: string): string {
  return `multipart/byteranges; boundary=${boundary}`;
}

/**
 * The first boundary has its CRLF too, as from nginx and Apache httpd: an empty preamble (RFC 2046 §5.1.1). zsync 0.6.2
 * does not finish without it.
 * @param ranges  inside the file, none of them empty; sent in this order
 */
export function planMultipartRanges(
  file: Pick<FileFacts, "size" | "mediaType">,
  ranges: readonly ByteRange[],
  boundary: string,
): MultipartPlan {
  const parts = ranges.map((range) => ({
    preamble: toBytes(
      `\r\n--${boundary}\r\n` +
        `Content-Type: ${file.mediaType}\r\n` +
        `Content-Range: ${formatContentRange(range, file.size)}\r\n\r\n`,
    ),
    start: range.start,
    end: range.end,
  }));
  const epilogue = toBytes(`\r\n--${boundary}--\r\n`);
  const partBytes = parts.reduce((sum, part) => sum + part.preamble.length + part.end - part.start, 0);
  return { parts, epilogue, length: bytes(partBytes + epilogue.length) };
}

/** The complete body of a file whose bytes are in memory. */
export function joinMultipart(content: Uint8Array, plan: MultipartPlan): Uint8Array {
  const pieces = plan.parts.flatMap((part) => [part.preamble, content.subarray(part.start, part.end)]);
  return Buffer.concat([...pieces, plan.epilogue], plan.length);
}

function toBytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
