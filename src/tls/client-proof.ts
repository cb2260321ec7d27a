/** What a client's certificate proves, and which clients are refused for it. */
import type { AlertName } from "./alert.ts";

/**
 * `require`: a client without a valid certificate is refused. `optional`: a client whose certificate is not valid is
 * refused. `note`: no client is refused, but the result is passed on.
 */
export type ClientVerify = "require" | "optional" | "note";

export type ClientProof =
  | { readonly kind: "none" }
  | { readonly kind: "verified" }
  /** `code`: Node's name of OpenSSL's verify error, such as `CERT_HAS_EXPIRED`. */
  | { readonly kind: "invalid"; readonly code: string };

interface VerifyError {
  /** OpenSSL's number (X509_V_ERR_…), for PROXY headers. */
  readonly number: number;
  /** The alert that OpenSSL sends for it (RFC 8446 §6.2). */
  readonly alert: AlertName;
  /** For the log. */
  readonly words: string;
}

const UNSPECIFIED: VerifyError = { number: 1, alert: "certificate_unknown", words: "not verifiable" };

const VERIFY_ERRORS: ReadonlyMap<string, VerifyError> = new Map<string, VerifyError>([
  ["UNABLE_TO_GET_ISSUER_CERT", { number: 2, alert: "unknown_ca", words: "unknown CA" }],
  ["CERT_SIGNATURE_FAILURE", { number: 7, alert: "decrypt_error", words: "wrong signature" }],
  ["CERT_NOT_YET_VALID", { number: 9, alert: "bad_certificate", words: "not valid yet" }],
  ["CERT_HAS_EXPIRED", { number: 10, alert: "certificate_expired", words: "expired" }],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", { number: 18, alert: "unknown_ca", words: "self-signed" }],
  ["SELF_SIGNED_CERT_IN_CHAIN", { number: 19, alert: "unknown_ca", words: "unknown CA" }],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", { number: 20, alert: "unknown_ca", words: "unknown CA" }],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", { number: 21, alert: "unknown_ca", words: "unknown CA" }],
  ["CERT_CHAIN_TOO_LONG", { number: 22, alert: "unknown_ca", words: "chain too long" }],
  ["CERT_REVOKED", { number: 23, alert: "certificate_revoked", words: "revoked" }],
  ["PATH_LENGTH_EXCEEDED", { number: 25, alert: "unknown_ca", words: "chain too long" }],
  ["INVALID_PURPOSE", { number: 26, alert: "unsupported_certificate", words: "not for clients" }],
  ["CERT_UNTRUSTED", { number: 27, alert: "bad_certificate", words: "not trusted for clients" }],
  ["CERT_REJECTED", { number: 28, alert: "bad_certificate", words: "rejected for clients" }],
  ["INVALID_CA", { number: 79, alert: "unknown_ca", words: "its issuer is no CA" }],
]);

/** @param code  of Node's error, if any: for a missing certificate it means nothing */
export function proofFrom(hasCertificate: boolean, code: string | undefined): ClientProof {
  if (!hasCertificate) return { kind: "none" };
  return code === undefined ? { kind: "verified" } : { kind: "invalid", code };
}

/** OpenSSL's verify result: 0 only for a certificate that was shown and is valid. */
export function verifyNumber(proof: ClientProof): number {
  if (proof.kind === "verified") return 0;
  return proof.kind === "none" ? UNSPECIFIED.number : errorFor(proof.code).number;
}

export interface ClientRefusal {
  readonly why: string;
  readonly alert: AlertName;
}

export const NO_CERTIFICATE = "the client sent no certificate";

/** @param version  such as `TLSv1.3`: an older version has no alert for a missing certificate */
export function refuseClient(
  verify: ClientVerify,
  proof: ClientProof,
  version: string | null,
): ClientRefusal | undefined {
  if (verify === "note" || proof.kind === "verified") return undefined;
  if (proof.kind === "none") {
    if (verify === "optional") return undefined;
    return { why: NO_CERTIFICATE, alert: version === "TLSv1.3" ? "certificate_required" : "handshake_failure" };
  }
  const { words, alert } = errorFor(proof.code);
  return { why: `the client's certificate is not valid: ${words}`, alert };
}

function errorFor(code: string): VerifyError {
  return VERIFY_ERRORS.get(code) ?? UNSPECIFIED;
}
