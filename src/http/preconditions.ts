/**
 * Conditional requests: whether the client wants the file's present version (RFC 9110 §13). A malformed list of tags
 * matches nothing; a malformed date counts as absent (§13.1.3, §13.1.4). Only for responses that would otherwise be
 * 200: an error or a redirect stays unchanged (§13.2.1).
 */
import type { UnixSeconds } from "../base/units.ts";
import { type EntityTag, isStrongMatch, isWeakMatch, parseEntityTagList } from "./entity-tag.ts";
import { parseHttpDate } from "./http-date.ts";
import { isGetOrHead, type RequestHead } from "./request-head.ts";

/** Of the present version; a generated page has neither. */
export interface Validators {
  readonly tag?: EntityTag;
  readonly modified?: UnixSeconds | undefined;
}

/** `not-modified`: 304; `failed`: 412. */
export type PreconditionResult = "proceed" | "not-modified" | "failed";

/**
 * Steps 1 to 4 of RFC 9110 §13.2.2. A test is undefined when its field is absent or does not count.
 * @param now  decides the century of a two-digit year
 */
export function checkPreconditions(head: RequestHead, current: Validators, now: UnixSeconds): PreconditionResult {
  const unchanged = ifMatch(head, current) ?? ifUnmodifiedSince(head, current, now) ?? true;
  if (!unchanged) return "failed";
  const wanted = ifNoneMatch(head, current) ?? ifModifiedSince(head, current, now) ?? true;
  if (wanted) return "proceed";
  return isGetOrHead(head.method) ? "not-modified" : "failed";
}

/**
 * Step 5: whether If-Range lets Range count. True without If-Range; false for a malformed value (RFC 9110 §13.1.5). A
 * date must equal the file's, and be past. It is a strong validator, because no response names a second that had not
 * ended yet (§8.8.2.2): see `modifiedFields`.
 */
export function isIfRangeSatisfied(head: RequestHead, current: Validators, now: UnixSeconds): boolean {
  const value = head.fields.get("if-range");
  if (value === undefined) return true;

  const list = parseEntityTagList(value);
  if (list === undefined) {
    const date = parseHttpDate(value, now);
    return date !== undefined && date === current.modified && date < now;
  }
  if (list.kind === "any" || list.tags.length > 1) return false;
  return hasTag(list.tags, current.tag, isStrongMatch);
}

/** Strong comparison (RFC 9110 §13.1.1). */
function ifMatch(head: RequestHead, current: Validators): boolean | undefined {
  return matches(head.fields.get("if-match"), current.tag, isStrongMatch);
}

function ifUnmodifiedSince(head: RequestHead, current: Validators, now: UnixSeconds): boolean | undefined {
  const isNewer = isNewerThan(head.fields.get("if-unmodified-since"), current.modified, now);
  return isNewer === undefined ? undefined : !isNewer;
}

/** Weak comparison (RFC 9110 §13.1.2). */
function ifNoneMatch(head: RequestHead, current: Validators): boolean | undefined {
  const isHeld = matches(head.fields.get("if-none-match"), current.tag, isWeakMatch);
  return isHeld === undefined ? undefined : !isHeld;
}

function ifModifiedSince(head: RequestHead, current: Validators, now: UnixSeconds): boolean | undefined {
  if (!isGetOrHead(head.method)) return undefined;
  return isNewerThan(head.fields.get("if-modified-since"), current.modified, now);
}

type Comparison = (one: EntityTag, other: EntityTag) => boolean;

function matches(field: string | undefined, tag: EntityTag | undefined, isMatch: Comparison): boolean | undefined {
  if (field === undefined) return undefined;
  const list = parseEntityTagList(field);
  if (list === undefined) return false;
  return list.kind === "any" || hasTag(list.tags, tag, isMatch);
}

function hasTag(tags: readonly EntityTag[], tag: EntityTag | undefined, isMatch: Comparison): boolean {
  return tag !== undefined && tags.some((member) => isMatch(member, tag));
}

function isNewerThan(
  field: string | undefined,
  modified: UnixSeconds | undefined,
  now: UnixSeconds,
): boolean | undefined {
  if (field === undefined || modified === undefined) return undefined;
  const date = parseHttpDate(field, now);
  return date === undefined ? undefined : modified > date;
}
