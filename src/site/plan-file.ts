/** The response with a file: whole, in part, or 304 and 412 without it (RFC 9110 §13, §14). */
import { bytes, type UnixSeconds, unixSeconds } from "../base/units.ts";
import {
  type ByteRange,
  decideRanges,
  formatContentRange,
  formatUnsatisfiedRange,
  type RangeDecision,
} from "../http/byte-range.ts";
import { encodeChunked } from "../http/chunked-encoder.ts";
import { formatEntityTag } from "../http/entity-tag.ts";
import { formatHttpDate } from "../http/http-date.ts";
import { formatBoundary, formatMultipartType, joinMultipart, planMultipartRanges } from "../http/multipart-ranges.ts";
import { checkPreconditions, isIfRangeSatisfied } from "../http/preconditions.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { Field } from "../http/response-head.ts";
import { type BodyPlan, contentFields, type FileFacts, type ResponsePlan } from "../http/response-plan.ts";
import { planError } from "./plan-page.ts";
import type { FileContent } from "./resource.ts";

export interface PlanContext {
  readonly now: UnixSeconds;
  /** Random, chosen when the process started: makes the boundary of multipart bodies unpredictable. */
  readonly boundaryNonce: string;
  /** Whether whole files are sent in the chunked coding, to clients that understand it. */
  readonly chunked: boolean;
}

export function planFile(
  head: RequestHead,
  facts: FileFacts,
  content: FileContent,
  context: PlanContext,
): ResponsePlan {
  switch (checkPreconditions(head, facts, context.now)) {
    case "failed":
      return planError(head, { status: 412, reason: "precondition-failed" });
    case "not-modified":
      return { status: 304, fields: [tagField(facts)], body: { kind: "none" } };
    case "proceed":
      return planContent(head, facts, content, context);
  }
}

/** Step 5 of RFC 9110 §13.2.2. */
function planContent(head: RequestHead, facts: FileFacts, content: FileContent, context: PlanContext): ResponsePlan {
  const decision = rangesFor(head, facts, context.now);
  switch (decision.kind) {
    case "whole":
      return context.chunked && head.version === "1.1"
        ? planChunked(facts, content, context.now)
        : planWhole(facts, content, context.now);
    case "part":
      return planPart(head, decision, facts, content, context.now);
    case "parts":
      return planParts(head, decision.ranges, facts, content, context);
    case "unsatisfiable":
      return planUnsatisfiable(head, facts);
  }
}

/** Range counts for GET alone (RFC 9110 §14.2). */
function rangesFor(head: RequestHead, facts: FileFacts, now: UnixSeconds): RangeDecision {
  if (head.method !== "GET" || !isIfRangeSatisfied(head, facts, now)) return { kind: "whole" };
  return decideRanges(head.fields.get("range"), facts.size);
}

function planWhole(facts: FileFacts, content: FileContent, now: UnixSeconds): ResponsePlan {
  const whole = { start: bytes(0), end: facts.size };
  return {
    status: 200,
    fields: [...contentFields(facts.mediaType, facts.size), ...fileFields(facts, now)],
    body: slice(content, whole, false),
  };
}

/** Without a length, since the coding ends the body (RFC 9112 §6.2). HTTP/1.0 does not know it (RFC 9112 §6.1). */
function planChunked(facts: FileFacts, content: FileContent, now: UnixSeconds): ResponsePlan {
  return {
    status: 200,
    fields: [
      { name: "Content-Type", value: facts.mediaType },
      { name: "Transfer-Encoding", value: "chunked" },
      ...fileFields(facts, now),
    ],
    body:
      content.kind === "memory"
        ? { kind: "bytes", bytes: encodeChunked(content.bytes) }
        : { kind: "chunked", source: content.source, size: facts.size },
  };
}

function planPart(
  head: RequestHead,
  range: ByteRange,
  facts: FileFacts,
  content: FileContent,
  now: UnixSeconds,
): ResponsePlan {
  return {
    status: 206,
    fields: [
      ...contentFields(facts.mediaType, bytes(range.end - range.start)),
      { name: "Content-Range", value: formatContentRange(range, facts.size) },
      ...fileFields(facts, now),
    ],
    body: slice(content, range, isJoined(head)),
  };
}

/** Content-Range is in each part, not in the head (RFC 9110 §15.3.7.2). */
function planParts(
  head: RequestHead,
  ranges: readonly ByteRange[],
  facts: FileFacts,
  content: FileContent,
  context: PlanContext,
): ResponsePlan {
  const boundary = formatBoundary(facts.tag, context.boundaryNonce);
  const multipart = planMultipartRanges(facts, ranges, boundary);
  return {
    status: 206,
    fields: [...contentFields(formatMultipartType(boundary), multipart.length), ...fileFields(facts, context.now)],
    body:
      content.kind === "memory"
        ? { kind: "bytes", bytes: joinMultipart(content.bytes, multipart) }
        : { kind: "parts", source: content.source, isJoined: isJoined(head), ...multipart },
  };
}

function planUnsatisfiable(head: RequestHead, facts: FileFacts): ResponsePlan {
  return planError(head, {
    status: 416,
    reason: "range-unsatisfiable",
    fields: [{ name: "Content-Range", value: formatUnsatisfiedRange(facts.size) }, ACCEPT_RANGES],
  });
}

/** Whether the client has named the version that its other bytes are of. */
function isJoined({ fields }: RequestHead): boolean {
  return fields.has("if-range") || fields.has("if-match");
}

function slice(content: FileContent, range: ByteRange, joined: boolean): BodyPlan {
  switch (content.kind) {
    case "memory":
      return { kind: "bytes", bytes: content.bytes.subarray(range.start, range.end) };
    case "open":
      return { kind: "file", source: content.source, start: range.start, end: range.end, isJoined: joined };
  }
}

const ACCEPT_RANGES: Field = { name: "Accept-Ranges", value: "bytes" };

/** The fields of a file, for any part of it. */
function fileFields(facts: FileFacts, now: UnixSeconds): readonly Field[] {
  const fields = [...modifiedFields(facts, now), tagField(facts), ACCEPT_RANGES];
  if (facts.downloadName === undefined) return fields;
  return [...fields, { name: "Content-Disposition", value: formatAttachment(facts.downloadName) }];
}

/**
 * A date that is not past is dated back: another change could still get the same one, and a client that held it would
 * take the one version for the other (RFC 9110 §8.8.2.2). The date of a later change is later, so nothing is missed.
 */
function modifiedFields({ modified }: FileFacts, now: UnixSeconds): readonly Field[] {
  if (modified === undefined) return [];
  return [{ name: "Last-Modified", value: formatHttpDate(unixSeconds(Math.min(modified, now - 1))) }];
}

function tagField(facts: FileFacts): Field {
  return { name: "ETag", value: formatEntityTag(facts.tag) };
}

// Anything but printable ASCII, and what old clients interpret differently: quotes, escapes, paths, `%41`.
const NOT_PLAIN = /[^\x20-\x7e]|["%/\\]/gu;
/** Unescaped characters of an extended value (attr-char, RFC 8187 §3.2.1). */
const ATTRIBUTE_CHARACTER = /[!#$&+\-.^_`|~0-9A-Za-z]/;

/**
 * Content-Disposition for a download (RFC 6266): `attachment; filename="report.txt"`. Characters unsafe in quotes
 * become `_`, and `filename*` with the whole name in UTF-8 follows: clients that know it prefer it (RFC 6266 §4.3).
 */
export function formatAttachment(name: string): string {
  const plain = name.replace(NOT_PLAIN, "_");
  if (plain === name) return `attachment; filename="${name}"`;
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeExtendedValue(name)}`;
}

function encodeExtendedValue(text: string): string {
  let encoded = "";
  for (const octet of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(octet);
    encoded += ATTRIBUTE_CHARACTER.test(character)
      ? character
      : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
