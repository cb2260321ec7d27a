/**
 * Whether an OCSP response (RFC 6960 §4.2) may be stapled to a certificate: it is for that certificate, says "good", is
 * valid now, and the issuer has signed it, or a responder that the issuer has named for that (§4.2.2.2).
 * Without the issuer's certificate in the chain, neither the signature nor the hash of the issuer's key is checked.
 */
import { createHash, type KeyObject, verify, X509Certificate } from "node:crypto";
import { DER, DerError, DerReader, formatObjectIdentifier, parseGeneralizedTime } from "./der.ts";

export type StapleCheck =
  /** `until`: milliseconds since 1970; undefined where the response names no end. */
  | { readonly kind: "good"; readonly until: number | undefined }
  /** `why`: what is wrong with it, without a subject. */
  | { readonly kind: "unusable"; readonly why: string };

interface Response {
  readonly singles: readonly Single[];
  /** The part that is signed. */
  readonly signed: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
  readonly certificates: readonly Uint8Array[];
}

interface Single {
  readonly hash: string;
  readonly issuerName: Uint8Array;
  readonly issuerKey: Uint8Array;
  readonly serial: Uint8Array;
  readonly status: "good" | "revoked" | "unknown";
  readonly from: number;
  readonly until: number | undefined;
}

/** Of a certificate, as a response names it. */
interface Subject {
  readonly serial: Uint8Array;
  readonly issuerName: Uint8Array;
  readonly issuerKey: Uint8Array | undefined;
}

const BASIC_RESPONSE = "1.3.6.1.5.5.7.48.1.1";
const OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
/** Of the clocks of two machines; the same as OpenSSL's. */
const TOLERANCE_MS = 5 * 60 * 1000;

/** Of responses without a content (§4.2.1). */
const REFUSALS = ["", "malformed request", "internal error", "try later", "", "signature required", "unauthorized"];

const HASHES: ReadonlyMap<string, string> = new Map([
  ["1.3.14.3.2.26", "sha1"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);

/** The hash of each algorithm; null for those that have their own. */
const SIGNATURES: ReadonlyMap<string, string | null> = new Map([
  ["1.2.840.113549.1.1.5", "sha1"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.10045.4.1", "sha1"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.3.101.112", null],
  ["1.3.101.113", null],
]);

/**
 * @param chain  the certificate, and its issuer's if it is there
 * @param now  milliseconds since 1970
 */
export function checkStaple(bytes: Uint8Array, chain: readonly X509Certificate[], now: number): StapleCheck {
  const [leaf, second] = chain;
  if (leaf === undefined) throw new Error("a staple needs a certificate");
  const issuer = second !== undefined && leaf.checkIssued(second) ? second : undefined;
  try {
    const response = readResponse(new DerReader(bytes));
    if (typeof response === "string") return unusable(`is only an error of the responder: ${response}`);
    return judge(response, leaf, issuer, now);
  } catch (fault) {
    if (fault instanceof DerError) return unusable("is not an OCSP response in DER");
    throw fault;
  }
}

function judge(
  response: Response,
  leaf: X509Certificate,
  issuer: X509Certificate | undefined,
  now: number,
): StapleCheck {
  const subject = readSubject(leaf, issuer);
  const single = response.singles.find((each) => isFor(each, subject));
  if (single === undefined) return unusable("is for another certificate");
  if (single.status === "revoked") return unusable("says that the certificate is revoked");
  if (single.status === "unknown") return unusable("says that the certificate is unknown");
  const { from, until } = single;
  if (now < from - TOLERANCE_MS) return unusable(`is not valid before ${new Date(from).toUTCString()}`);
  if (until !== undefined && now >= until) return unusable(`expired on ${new Date(until).toUTCString()}`);
  if (issuer !== undefined && !isSigned(response, issuer, now)) {
    return unusable("is not signed by the issuer of the certificate, or for it");
  }
  return { kind: "good", until };
}

function unusable(why: string): StapleCheck {
  return { kind: "unusable", why };
}

/** @returns the name of an error that the responder has answered with */
function readResponse(file: DerReader): Response | string {
  const outer = file.enter();
  file.end();
  const [status = 0] = outer.take(DER.ENUMERATED).content;
  if (status !== 0) return REFUSALS[status] || `status ${status}`;
  const explicit = outer.enter(EXPLICIT_0);
  const typed = explicit.enter();
  if (readIdentifier(typed) !== BASIC_RESPONSE) throw new DerError("another type of response");
  const basic = typed.enter(DER.OCTET_STRING).enter();
  const data = basic.take(DER.SEQUENCE);
  const algorithm = readIdentifier(basic.enter());
  const signature = readBits(basic);
  const certificates: Uint8Array[] = [];
  if (!basic.isAtEnd) {
    const list = basic.enter(EXPLICIT_0).enter();
    while (!list.isAtEnd) certificates.push(list.take(DER.SEQUENCE).whole);
  }
  return { singles: readSingles(new DerReader(data.content)), signed: data.whole, algorithm, signature, certificates };
}

// Context-specific, constructed.
const EXPLICIT_0 = 0xa0;
// The choice of CertStatus, with implicit tags.
const GOOD = 0x80;
const REVOKED = 0xa1;

function readSingles(data: DerReader): readonly Single[] {
  data.takeIf(EXPLICIT_0); // version
  data.take(); // responderID
  data.take(DER.GENERALIZED_TIME); // producedAt
  const list = data.enter();
  const singles: Single[] = [];
  while (!list.isAtEnd) singles.push(readSingle(list.enter()));
  return singles;
}

function readSingle(single: DerReader): Single {
  const id = single.enter();
  const hash = readIdentifier(id.enter());
  const issuerName = id.take(DER.OCTET_STRING).content;
  const issuerKey = id.take(DER.OCTET_STRING).content;
  const serial = id.take(DER.INTEGER).content;
  const { tag } = single.take();
  const from = parseGeneralizedTime(single.take(DER.GENERALIZED_TIME).content);
  const next = single.takeIf(EXPLICIT_0);
  const until = next && parseGeneralizedTime(new DerReader(next.content).take(DER.GENERALIZED_TIME).content);
  const status = tag === GOOD ? "good" : tag === REVOKED ? "revoked" : "unknown";
  return { hash, issuerName, issuerKey, serial, status, from, until };
}

function readIdentifier(from: DerReader): string {
  return formatObjectIdentifier(from.take(DER.OBJECT_IDENTIFIER).content);
}

/** All bits of these are whole octets. */
function readBits(from: DerReader): Uint8Array {
  return from.take(DER.BIT_STRING).content.subarray(1);
}

/** What a response names of a certificate (RFC 5280 §4.1). */
function readSubject(leaf: X509Certificate, issuer: X509Certificate | undefined): Subject {
  const tbs = new DerReader(leaf.raw).enter().enter();
  tbs.takeIf(EXPLICIT_0); // version
  const serial = tbs.take(DER.INTEGER).content;
  tbs.take(DER.SEQUENCE); // signature
  const issuerName = tbs.take(DER.SEQUENCE).whole;
  return { serial, issuerName, issuerKey: issuer && keyBits(issuer.publicKey) };
}

function keyBits(key: KeyObject): Uint8Array {
  const info = new DerReader(key.export({ type: "spki", format: "der" })).enter();
  info.take(DER.SEQUENCE);
  return readBits(info);
}

function isFor(single: Single, { serial, issuerName, issuerKey }: Subject): boolean {
  const algorithm = HASHES.get(single.hash);
  if (algorithm === undefined || !isEqual(single.serial, serial)) return false;
  const digest = (bytes: Uint8Array): Uint8Array => createHash(algorithm).update(bytes).digest();
  if (!isEqual(single.issuerName, digest(issuerName))) return false;
  return issuerKey === undefined || isEqual(single.issuerKey, digest(issuerKey));
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** An algorithm that we do not know is not checked: the response may well be good, and clients check it again. */
function isSigned(response: Response, issuer: X509Certificate, now: number): boolean {
  const hash = SIGNATURES.get(response.algorithm);
  if (hash === undefined) return true;
  const keys = [issuer, ...response.certificates.flatMap((der) => responderOf(der, issuer, now))];
  return keys.some(({ publicKey }) => isValid(hash, response, publicKey));
}

function isValid(hash: string | null, { signed, signature }: Response, key: KeyObject): boolean {
  try {
    return verify(hash, signed, key, signature);
  } catch {
    // The key is of another type than the signature.
    return false;
  }
}

/** The certificate of a responder that the issuer has named: one, or none. */
function responderOf(der: Uint8Array, issuer: X509Certificate, now: number): readonly X509Certificate[] {
  try {
    const own = new X509Certificate(der);
    const isNow = Date.parse(own.validFrom) <= now && now <= Date.parse(own.validTo);
    const isNamed = own.checkIssued(issuer) && own.verify(issuer.publicKey) && own.keyUsage?.includes(OCSP_SIGNING);
    return isNow && isNamed === true ? [own] : [];
  } catch {
    return [];
  }
}
