/**
 * TLS alerts (RFC 8446 §6, RFC 5246 §7.2) that OpenSSL does not send for us: before a handshake has begun, and for a client
 * certificate that is not accepted. Node lets OpenSSL continue with any certificate, so the alert is ours.
 */
import { createCipheriv, createHmac } from "node:crypto";

/** AlertDescription, by the names of the RFC. */
const DESCRIPTIONS = {
  unexpected_message: 10,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  decode_error: 50,
  decrypt_error: 51,
  unrecognized_name: 112,
  certificate_required: 116,
} as const;

export type AlertName = keyof typeof DESCRIPTIONS;

const ALERT = 21;
const APPLICATION_DATA = 23;
const FATAL = 2;
const TAG_LENGTH = 16;
const IV_LENGTH = 12;

/** A fatal alert in its own record, while the server does not encrypt yet. */
export function plainAlert(name: AlertName): Uint8Array {
  return Uint8Array.of(ALERT, 3, 3, 0, 2, FATAL, DESCRIPTIONS[name]);
}

/**
 * A fatal alert as the very first record under a key of the server (RFC 8446 §5.2). Nothing else may be sent under that
 * key, neither before nor after: two records with one sequence number would reveal each other.
 *
 * @param suite  of TLS 1.3
 * @param secret  the server's traffic secret (§7.1)
 * @returns undefined for a suite that is not among our defaults
 */
export function sealedAlert(name: AlertName, suite: string, secret: Uint8Array): Uint8Array | undefined {
  const seal = SUITES.get(suite);
  if (seal === undefined) return undefined;
  const inner = Uint8Array.of(FATAL, DESCRIPTIONS[name], ALERT);
  const head = Uint8Array.of(APPLICATION_DATA, 3, 3, 0, inner.length + TAG_LENGTH);
  const key = expandLabel(seal.hash, secret, "key", seal.keyLength);
  // The nonce of the first record is the IV itself (§5.3).
  const cipher = seal.open(key, expandLabel(seal.hash, secret, "iv", IV_LENGTH));
  cipher.setAAD(head, { plaintextLength: inner.length });
  return Buffer.concat([head, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

/** HKDF-Expand-Label without context (§7.1), for outputs that one HMAC yields. */
function expandLabel(hash: string, secret: Uint8Array, label: string, length: number): Uint8Array {
  const full = `tls13 ${label}`;
  const info = Buffer.from([0, length, full.length, ...Buffer.from(full), 0, 1]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}

const sealAes128 = (key: Uint8Array, iv: Uint8Array) => createCipheriv("aes-128-gcm", key, iv);
const sealAes256 = (key: Uint8Array, iv: Uint8Array) => createCipheriv("aes-256-gcm", key, iv);
const sealChacha = (key: Uint8Array, iv: Uint8Array) =>
  createCipheriv("chacha20-poly1305", key, iv, { authTagLength: TAG_LENGTH });

const SUITES = new Map([
  ["TLS_AES_128_GCM_SHA256", { hash: "sha256", keyLength: 16, open: sealAes128 }],
  ["TLS_AES_256_GCM_SHA384", { hash: "sha384", keyLength: 32, open: sealAes256 }],
  ["TLS_CHACHA20_POLY1305_SHA256", { hash: "sha256", keyLength: 32, open: sealChacha }],
]);

const SERVER_SECRET = /^SERVER_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)\s*$/i;

/** @param line  of OpenSSL's key log (RFC 9850) @returns the server's traffic secret, if the line has it */
export function readServerSecret(line: Uint8Array): Uint8Array | undefined {
  const [, secret] = SERVER_SECRET.exec(Buffer.from(line).toString("latin1")) ?? [];
  return secret === undefined ? undefined : Buffer.from(secret, "hex");
}

/** What an ended handshake says about its keys. */
export interface HandshakeKeys {
  /** Such as `TLSv1.3`. */
  readonly version: string | null;
  readonly suite: string | undefined;
  readonly isResumed: boolean;
  /** From the key log. */
  readonly serverSecret: Uint8Array | undefined;
}

/**
 * The alert that refuses a client whose last message of the handshake has just been read, when nothing that answers it has
 * been sent. @returns undefined where it cannot be told; the connection then ends without an alert
 */
export function refusingAlert(name: AlertName, keys: HandshakeKeys): Uint8Array | undefined {
  const { version, suite = "", isResumed, serverSecret } = keys;
  if (version === "TLSv1.3") return serverSecret && sealedAlert(name, suite, serverSecret);
  // In a full handshake of TLS 1.2 the client ends first; in a resumed one the server encrypts already.
  return version === "TLSv1.2" && !isResumed ? plainAlert(name) : undefined;
}
