/**
 * Byte ranges: which parts of a file a `Range` field asks for (RFC 9110 §14). A malformed field, or a unit other than
 * bytes, counts as absent (§14.2). Overlapping ranges are joined; ranges are served in the order requested (§15.3.7.2).
 *
 * No byte is sent twice, so the parts together never exceed the file. Their heads are not counted: zsync gives up at a
 * 200, and zckdl drops the connection, also where the whole file would be shorter. `MAX_RANGES` heads are less than 64 KiB.
 */
import { type Bytes, bytes } from "../base/units.ts";

/** `end` is exclusive, so a length is always `end - start`. */
export interface ByteRange {
  readonly start: Bytes;
  readonly end: Bytes;
}

export type RangeDecision =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly start: Bytes; readonly end: Bytes }
  /** Two or more, disjoint. */
  | { readonly kind: "parts"; readonly ranges: readonly ByteRange[] }
  | { readonly kind: "unsatisfiable" };

/**
 * A request for more parts than this, after joining, gets the whole file: many small ones are an attack (§17.15). zsync
 * asks for 20 at once, zckdl for 255, and at a 200 for 127, then 7.
 */
export const MAX_RANGES = 256;

/** As written: positions may be larger than any file, hence than any exact number. */
type RangeSpec =
  | { readonly kind: "from"; readonly first: bigint; readonly last: bigint | undefined }
  | { readonly kind: "suffix"; readonly length: bigint };

const UNIT = /^bytes=/i;
// One member of a list, which may be empty (RFC 9110 §5.6.1.2), up to its comma or the end.
const MEMBER = /[ \t]*(?:(\d*)-(\d*)[ \t]*)?(?:,|$)/gy;

/** @param field  the value of Range, undefined when it is absent or does not count */
export function decideRanges(field: string | undefined, size: Bytes): RangeDecision {
  // No part of an empty file can be named (§14.4); as nginx and lighttpd, we send it whole instead of 416.
  const specs = field === undefined || size === 0 ? undefined : parseRangeSet(field);
  if (specs === undefined) return { kind: "whole" };

  const ranges = coalesce(specs.flatMap((spec) => resolve(spec, size) ?? []));
  const [first] = ranges;
  if (first === undefined) return { kind: "unsatisfiable" };
  if (ranges.length === 1) return { kind: "part", ...first };
  if (ranges.length > MAX_RANGES) return { kind: "whole" };
  return { kind: "parts", ranges };
}

/** The Content-Range of a part: `bytes 0-4/10` (RFC 9110 §14.4). The range must not be empty. */
export function formatContentRange(range: ByteRange, size: Bytes): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** The Content-Range of a 416: the size, and an asterisk for the range (RFC 9110 §14.4). */
export function formatUnsatisfiedRange(size: Bytes): string {
  return `bytes */${size}`;
}

function parseRangeSet(field: string): readonly RangeSpec[] | undefined {
  if (!UNIT.test(field)) return undefined;
  const text = field.slice("bytes=".length);

  const specs: RangeSpec[] = [];
  let understood = 0;
  for (const [member, first, last] of text.matchAll(MEMBER)) {
    understood += member.length;
    if (first === undefined || last === undefined) continue;
    const spec = parseRangeSpec(first, last);
    if (spec === undefined) return undefined;
    specs.push(spec);
  }
  return understood < text.length || specs.length === 0 ? undefined : specs;
}

function parseRangeSpec(first: string, last: string): RangeSpec | undefined {
  if (first === "") return last === "" ? undefined : { kind: "suffix", length: BigInt(last) };
  if (last === "") return { kind: "from", first: BigInt(first), last: undefined };
  if (BigInt(last) < BigInt(first)) return undefined;
  return { kind: "from", first: BigInt(first), last: BigInt(last) };
}

/** Undefined when no byte of the file is meant. Numbers leave bigint only where they are below the size. */
function resolve(spec: RangeSpec, size: Bytes): ByteRange | undefined {
  if (spec.kind === "suffix") {
    if (spec.length === 0n) return undefined;
    return { start: bytes(spec.length < size ? size - Number(spec.length) : 0), end: size };
  }
  if (spec.first >= size) return undefined;
  const reachesEnd = spec.last === undefined || spec.last >= size;
  return { start: bytes(Number(spec.first)), end: reachesEnd ? size : bytes(Number(spec.last) + 1) };
}

/** Joins overlapping ranges; the joined range takes the place of its first member. */
function coalesce(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const byStart = ranges
    .map(({ start, end }, place) => ({ start, end, place }))
    .sort((one, other) => one.start - other.start);
  const joined: typeof byStart = [];
  for (const range of byStart) {
    const previous = joined.at(-1);
    if (previous === undefined || range.start >= previous.end) {
      joined.push(range);
      continue;
    }
    previous.end = bytes(Math.max(previous.end, range.end));
    previous.place = Math.min(previous.place, range.place);
  }
  return joined.sort((one, other) => one.place - other.place).map(({ start, end }) => ({ start, end }));
}
