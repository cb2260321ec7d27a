/** Entity tags: the version of a file in one word (RFC 9110 §8.8.3). */
import { type Bytes, type Milliseconds, milliseconds, type UnixMilliseconds } from "../base/units.ts";

export interface EntityTag {
  readonly weak: boolean;
  /** The text between the quotes. */
  readonly opaque: string;
}

/** A change of any of these means that the content has changed. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: Bytes;
  readonly modifiedNs: bigint;
}

export type EntityTagList = { readonly kind: "any" } | { readonly kind: "tags"; readonly tags: readonly EntityTag[] };

/**
 * Two changes of a file within this time may leave the same modification time: the kernel's clock for files advances
 * once a tick, at most 10 ms (HZ=100). Doubled, because our own clock is read a little later.
 */
export const MTIME_GRANULARITY: Milliseconds = milliseconds(20);
// One member of a list, which may be empty (RFC 9110 §5.6.1.2), up to its comma or the end. Quotes may hold commas.
const MEMBER = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)/gy;

/** `"opaque"` or `W/"opaque"`. */
export function formatEntityTag(tag: EntityTag): string {
  return tag.weak ? `W/"${tag.opaque}"` : `"${tag.opaque}"`;
}

/**
 * Reads `*` or a list of tags; `"*"` is a tag like any other.
 * @param text  Latin-1, without blanks around it
 * @returns undefined when any part is malformed, and for a list without a tag
 */
export function parseEntityTagList(text: string): EntityTagList | undefined {
  if (text === "*") return { kind: "any" };

  const tags: EntityTag[] = [];
  let understood = 0;
  for (const [member, weakness, opaque] of text.matchAll(MEMBER)) {
    understood += member.length;
    if (opaque !== undefined) tags.push({ weak: weakness !== undefined, opaque });
  }
  if (understood < text.length || tags.length === 0) return undefined;
  return { kind: "tags", tags };
}

/** Both strong and equal: the same content byte for byte (RFC 9110 §8.8.3.2). */
export function isStrongMatch(one: EntityTag, other: EntityTag): boolean {
  return !one.weak && !other.weak && one.opaque === other.opaque;
}

/** Equal, weak or not: one may replace the other (RFC 9110 §8.8.3.2). */
export function isWeakMatch(one: EntityTag, other: EntityTag): boolean {
  return one.opaque === other.opaque;
}

/**
 * The tag of a file: strong, from its modification time in nanoseconds, its size and its inode. A file modified within
 * `MTIME_GRANULARITY` of `now` may change again without a trace in these. It gets a weak tag that no later look
 * repeats, so the client will fetch the file once more.
 */
export function fileEntityTag(identity: FileIdentity, now: UnixMilliseconds): EntityTag {
  const { modifiedNs, size, inode } = identity;
  const version = `${modifiedNs.toString(36)}-${size.toString(36)}-${inode.toString(36)}`;
  const age = now - Number(modifiedNs / 1_000_000n);
  // A date further in the future was set by hand, and is as reliable as one in the past.
  if (Math.abs(age) > MTIME_GRANULARITY) return { weak: false, opaque: version };
  return { weak: true, opaque: `${version}.${now.toString(36)}` };
}
