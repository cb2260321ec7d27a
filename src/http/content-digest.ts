/**
 * Content-Digest and Repr-Digest: checksums that a client sends with a body (RFC 9530 §2, §3). One fault makes the
 * whole dictionary malformed (RFC 9651 §4.2). Parameters, and algorithms other than SHA-256 and SHA-512, are parsed and
 * dropped: RFC 9530 §5 calls the rest insecure, and ignoring a checksum does no harm.
 */
import { Buffer } from "node:buffer";
import { type Bytes, bytes } from "../base/units.ts";

export type DigestAlgorithm = "sha-256" | "sha-512";

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** 32 or 64 bytes. */
  readonly value: Uint8Array;
}

export type DigestField =
  /** At most one per algorithm; none when the client named only others. */
  { readonly kind: "digests"; readonly digests: readonly Digest[] } | { readonly kind: "malformed" };

const MALFORMED: DigestField = { kind: "malformed" };

const DIGEST_SIZES: ReadonlyMap<DigestAlgorithm, Bytes> = new Map([
  ["sha-256", bytes(32)],
  ["sha-512", bytes(64)],
]);

const KEY = "[a-z*][a-z0-9_.*-]*";
const BYTE_SEQUENCE = ":[A-Za-z0-9+/=]*:";
// Every form of a bare item (RFC 9651 §3.3), though no parameter of a digest is defined yet.
const BARE_ITEM = [
  String.raw`-?[0-9]{1,12}\.[0-9]{1,3}`,
  "-?[0-9]{1,15}",
  String.raw`"(?:[ !#-[\]-~]|\\["\\])*"`,
  "[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*",
  BYTE_SEQUENCE,
  String.raw`\?[01]`,
  "@-?[0-9]{1,15}",
  '%"(?:[ !#$&-~]|%[0-9a-f]{2})*"',
].join("|");
const PARAMETERS = `(?:; *${KEY}(?:=(?:${BARE_ITEM}))?)*`;
// A comma must be followed by another member.
const MEMBER = new RegExp(`(${KEY})=(${BYTE_SEQUENCE})${PARAMETERS}[ \\t]*(?:,[ \\t]*(?=[a-z*])|$)`, "gy");
/** Padding may be absent, and bits after the last byte may be set: parsers should not fail for these (§4.2.7). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * @param text  of either field, without blanks around it, lines joined by commas; an empty value is an empty dictionary
 * @returns `malformed` also for a value that is no byte sequence, whatever its algorithm, and for a wrong length of one
 *   we know. The last value of an algorithm counts (RFC 9651 §4.2.2).
 */
export function parseDigestField(text: string): DigestField {
  const members = parseByteSequences(text);
  if (members === undefined) return MALFORMED;

  const digests: Digest[] = [];
  for (const [algorithm, size] of DIGEST_SIZES) {
    const value = members.get(algorithm);
    if (value === undefined) continue;
    if (value.length !== size) return MALFORMED;
    digests.push({ algorithm, value });
  }
  return { kind: "digests", digests };
}

/** Undefined unless the text is a dictionary whose values are all byte sequences. */
function parseByteSequences(text: string): ReadonlyMap<string, Uint8Array> | undefined {
  const members = new Map<string, Uint8Array>();
  let understood = 0;
  for (const [member, key = "", sequence = ""] of text.matchAll(MEMBER)) {
    const base64 = sequence.slice(1, -1);
    if (!BASE64.test(base64)) return undefined;
    members.set(key, Uint8Array.from(Buffer.from(base64, "base64")));
    understood += member.length;
  }
  return understood === text.length ? members : undefined;
}
