/**
 * What a head says of the bytes after it: where the body ends (RFC 9112 §6), whether the client waits for a 100 (RFC
 * 9110 §10.1.1), and whether another request may follow (RFC 9112 §9.3). Where the RFC allows repair or a choice, we
 * reject: request smuggling needs two servers that read one message differently. So Content-Length may occur once,
 * `chunked` is the one coding, and both together are an error.
 */
import { type Bytes, bytes } from "../base/units.ts";
import type { Refusal } from "./exchange.ts";
import { isToken, splitList } from "./field-syntax.ts";
import type { RequestHead } from "./request-head.ts";

export type BodyFraming =
  | { readonly kind: "none" }
  /** May be 0. Not compared with any limit of ours. */
  | { readonly kind: "length"; readonly length: Bytes }
  | { readonly kind: "chunked" };

export type FramingDecision = BodyFraming | { readonly kind: "reject"; readonly refusal: Refusal };

export type ExpectationDecision =
  /** Nothing is expected, or nothing that needs an answer. */
  | { readonly kind: "none" }
  /** The client sends the body after a 100, or after its own timeout. */
  | { readonly kind: "continue" }
  | { readonly kind: "reject"; readonly refusal: Refusal };

export type Persistence = "keep" | "close";

const DIGITS = /^[0-9]+$/;

const LENGTH_CONFLICT: Refusal = { status: 400, reason: "length-conflict" };
const BAD_LENGTH: Refusal = { status: 400, reason: "bad-content-length" };
const TOO_LARGE: Refusal = { status: 413, reason: "body-too-large" };
const BAD_CODING: Refusal = { status: 400, reason: "bad-transfer-encoding" };
const UNKNOWN_CODING: Refusal = { status: 501, reason: "bad-transfer-encoding" };
const UNKNOWN_EXPECTATION: Refusal = { status: 417, reason: "unknown-expectation" };

/** After a `reject` the connection cannot be read on: where the next request begins is unknown. */
export function decideFraming(head: RequestHead): FramingDecision {
  const codings = head.fields.get("transfer-encoding");
  const lengths = head.fields.all("content-length");

  if (codings !== undefined && lengths.length > 0) return reject(LENGTH_CONFLICT);
  if (codings !== undefined) return head.version === "1.0" ? reject(BAD_CODING) : decideCoding(splitList(codings));
  return decideLength(lengths);
}

/** Expect on HTTP/1.0 is ignored (RFC 9110 §10.1.1), and so is `100-continue` without a body. */
export function decideExpectation(head: RequestHead, framing: BodyFraming): ExpectationDecision {
  const expectations = head.fields.get("expect");
  if (expectations === undefined || head.version === "1.0") return { kind: "none" };
  if (!splitList(expectations).every((member) => member === "100-continue")) return reject(UNKNOWN_EXPECTATION);
  return hasBody(framing) ? { kind: "continue" } : { kind: "none" };
}

/**
 * Whether the connection stays open after the response (RFC 9112 §9.3), as far as the request decides: the connection
 * adds its own reasons, such as a refusal or an unread body.
 * @param served  requests on this connection so far, this one included
 * @param maxRequests  at least 1
 * @param draining  the server is stopping: every response is the last
 */
export function decidePersistence(
  head: RequestHead,
  served: number,
  maxRequests: number,
  draining: boolean,
): Persistence {
  if (draining || served >= maxRequests) return "close";
  const field = head.fields.get("connection");
  if (field === undefined) return head.version === "1.1" ? "keep" : "close";

  if (field === "keep-alive") return "keep";
  const options = splitList(field);
  if (options.includes("close")) return "close";
  return head.version === "1.1" || options.includes("keep-alive") ? "keep" : "close";
}

/*
 *  chunked                          taken
 *  gzip | gzip, chunked | identity  501: well-formed, and not a coding we know
 *  chunked, chunked                 400: chunked twice (RFC 9112 §6.1)
 *  chunked, gzip                    400: chunked is not the last (RFC 9112 §6.3)
 *  (empty) | chunked, | chunked;a   400: a member that is not a bare token
 */
function decideCoding(codings: readonly string[]): FramingDecision {
  if (!codings.every(isToken)) return reject(BAD_CODING);
  if (codings.slice(0, -1).includes("chunked")) return reject(BAD_CODING);
  if (codings.length > 1 || codings[0] !== "chunked") return reject(UNKNOWN_CODING);
  return { kind: "chunked" };
}

function decideLength(lengths: readonly string[]): FramingDecision {
  const [text] = lengths;
  if (text === undefined) return { kind: "none" };
  if (lengths.length > 1 || !DIGITS.test(text)) return reject(BAD_LENGTH);

  // For digits alone Number is exact up to 2^53 - 1, and gives at least 2^53 (or Infinity) for all that is greater.
  const length = Number(text);
  return Number.isSafeInteger(length) ? { kind: "length", length: bytes(length) } : reject(TOO_LARGE);
}

function hasBody(framing: BodyFraming): boolean {
  return framing.kind === "chunked" || (framing.kind === "length" && framing.length > 0);
}

function reject(refusal: Refusal): { readonly kind: "reject"; readonly refusal: Refusal } {
  return { kind: "reject", refusal };
}
