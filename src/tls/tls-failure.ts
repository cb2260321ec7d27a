/** Reasons of failed handshakes, for logs and counters: OpenSSL's texts contain addresses and source positions. */
import { errorCode } from "../base/errors.ts";
import { NO_CERTIFICATE } from "./client-proof.ts";

export const TOOK_TOO_LONG = "timeout";

const WORDS: Readonly<Record<string, string>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: TOOK_TOO_LONG,
  ECONNRESET: "the client has disconnected",
  EPIPE: "the client has disconnected",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "no protocol version in common",
  ERR_SSL_WRONG_VERSION_NUMBER: "no TLS",
  ERR_SSL_NO_SHARED_CIPHER: "no cipher in common",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "no application protocol in common",
  ERR_SSL_NO_SUITABLE_KEY_SHARE: "no group in common",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: NO_CERTIFICATE,
  ERR_SSL_ALERT_UNKNOWN_CA: "the client rejects the certificate",
  ERR_SSL_ALERT_CERTIFICATE_UNKNOWN: "the client rejects the certificate",
  ERR_SSL_ALERT_BAD_CERTIFICATE: "the client rejects the certificate",
  ERR_SSL_ALERT_CERTIFICATE_EXPIRED: "the client rejects the certificate",
};

/** The protocol in an alert's name depends on OpenSSL's version: `TLSV1_`, `SSLV3_`, and later `SSL/TLS_`. */
const ALERT = /^ERR_SSL_[A-Z0-9/]+_ALERT_/;

export function describeHandshakeFailure(error: Error): string {
  const code = (errorCode(error) ?? "").replace(ALERT, "ERR_SSL_ALERT_");
  const known = WORDS[code];
  if (known !== undefined) return known;
  // Such as ERR_SSL_BAD_RECORD_TYPE, in lower case and without underscores.
  if (code.startsWith("ERR_SSL_")) return code.slice("ERR_SSL_".length).toLowerCase().replaceAll("_", " ");
  return code === "" ? "handshake failure" : code;
}
