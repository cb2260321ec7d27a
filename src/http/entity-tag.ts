/** Entity tags: the version of a file in one word (RFC 9110 §8.8.3). How they are written, read and compared. */

export interface EntityTag {
  readonly weak: boolean;
  /** The text between the quotes. */
  readonly opaque: string;
}

export type EntityTagList = { readonly kind: "any" } | { readonly kind: "tags"; readonly tags: readonly EntityTag[] };

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
