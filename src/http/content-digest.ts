/**
 * Content-Digest and Repr-Digest: checksums that a client sends along with a body (RFC 9530 §2, §3).
 *
 * The value is a dictionary of byte sequences, and is parsed as RFC 9651 §4.2 has it: one fault spoils all of it.
 * Parameters are read and dropped, and so are algorithms other than SHA-256 and SHA-512: RFC 9530 §5 calls the rest
 * insecure, and ignoring a checksum does no harm. No digest is computed or compared here.
 */
import { Buffer } from "node:buffer";
import { type Bytes, bytes } from "../base/units.ts";

export type DigestAlgorithm = "sha-256" | "sha-512";

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** 32 or 64 bytes, as the algorithm has it. */
  readonly value: Uint8Array;
}

export type DigestField =
  /** At most one for each algorithm; none where the client named only others. */
  { readonly kind: "digests"; readonly digests: readonly Digest[] } | { readonly kind: "malformed" };

const MALFORMED: DigestField = { kind: "malformed" };

const DIGEST_SIZES: ReadonlyMap<DigestAlgorithm, Bytes> = new Map([
  ["sha-256", bytes(32)],
  ["sha-512", bytes(64)],
]);

const KEY = "[a-z*][a-z0-9_.*-]*";
const BYTE_SEQUENCE = ":[A-Za-z0-9+/=]*:";
// Every form of a bare item (RFC 9651 §3.3), though nobody has defined a parameter of a digest yet.
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
// A comma has to be followed by another member.
const MEMBER = new RegExp(`(${KEY})=(${BYTE_SEQUENCE})${PARAMETERS}[ \\t]*(?:,[ \\t]*(?=[a-z*])|$)`, "gy");

/** Padding may be absent, and bits behind the last byte may be set: parsers should not fail for these (§4.2.7). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * Reads the value of either field.
 *
 * @param text  without blanks around it, several lines joined by commas; an empty value is an empty dictionary
 * @returns `malformed` also where a value is no byte sequence, whatever its algorithm, and where that of an algorithm
 *          we know has not its length; of an algorithm named twice the last value counts (RFC 9651 §4.2.2)
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

/** A dictionary whose values are all byte sequences; undefined for anything else. */
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
