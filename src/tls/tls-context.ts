/**
 * What OpenSSL is told of a side of TLS: its certificates, and the rules of the settings.
 *
 * Session tickets (RFC 5077, RFC 8446 §4.6.1) are sealed with keys that all processes of a server share, so that any of
 * them resumes what another began. Nothing of a session is kept here.
 */
import { constants, createHash } from "node:crypto";
import { createSecureContext, getCiphers, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Milliseconds } from "../base/units.ts";
import { type ClientMaterial, companionsOf, type TlsIdentity, type TlsMaterial } from "./tls-identity.ts";

export interface TlsRules {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Of TLS 1.2, in OpenSSL's words; undefined for ours. */
  readonly ciphers: string | undefined;
  /** Of TLS 1.3; undefined for all. */
  readonly suites: string | undefined;
  /** Groups for the key exchange, colons between; undefined for OpenSSL's. */
  readonly curves: string | undefined;
  /** Whether a client that names a server we are not is sent away; else it gets the fallback. */
  readonly sniStrict: boolean;
  /** Whether a client must show a certificate, where there are authorities for them. */
  readonly clientVerify: "require" | "optional";
  readonly handshakeTimeout: Milliseconds;
  /** Protocols to agree on (RFC 7301); a client that offers others alone is sent away. Empty: none is agreed on. */
  readonly alpn: readonly string[];
}

/** Forward secrecy and authenticated encryption, nothing else. Those with DHE need parameters in the PEM file. */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "DHE-RSA-AES128-GCM-SHA256",
  "DHE-RSA-AES256-GCM-SHA384",
].join(":");
const SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/** OpenSSL takes no more (SSL_MAX_SID_CTX_LENGTH). */
const MAX_SESSION_CONTEXT = 32;

/**
 * Whether OpenSSL takes all of it. To be asked by whoever reads the files, so that a fault is told before anything changes.
 *
 * @throws what OpenSSL says
 */
export function checkMaterial(material: TlsMaterial, rules: TlsRules): void {
  for (const identity of material.identities) {
    try {
      createSecureContext(contextOptions(identity, material, rules));
    } catch (cause) {
      throw new Error(`${identity.file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  checkCipherNames(rules);
}

/**
 * OpenSSL passes over names that it does not know, as long as one is left. Words for groups of ciphers are its own business.
 *
 * @throws Error that says which it is
 */
export function checkCipherNames({ ciphers = "", suites = "" }: TlsRules): void {
  const known = new Set(getCiphers());
  const names = [
    ...ciphers.split(":").filter((word) => /^[A-Z0-9]+-[A-Z0-9-]+$/i.test(word)),
    ...suites.split(":").filter((word) => word !== ""),
  ];
  const unknown = names.find((name) => !known.has(name.toLowerCase()));
  if (unknown !== undefined) throw new Error(`OpenSSL knows no ${unknown}`);
}

/** For handshakes as a server. */
export function contextOptions(identity: TlsIdentity, material: TlsMaterial, rules: TlsRules) {
  const all = companionsOf(identity, material.identities);
  const dhParameters = all.map((each) => each.dhParameters).find((each) => each !== undefined);
  const { clientAuthorities, ticketKeys } = material;
  return {
    cert: all.map(({ certificates }) => certificates),
    key: all.map(({ key }) => key),
    ...(dhParameters === undefined ? {} : { dhparam: dhParameters }),
    ...(clientAuthorities === undefined ? {} : { ca: clientAuthorities }),
    ...contextRules(rules),
    honorCipherOrder: true,
    // A client cannot begin another handshake on a connection (CVE-2011-1473).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
    sessionIdContext: sessionContext(clientAuthorities, rules.clientVerify),
    ticketKeys: Buffer.from(ticketKeys),
  } satisfies SecureContextOptions;
}

/**
 * Sessions are resumed where this is equal: in every process of ours, and on every machine. Who resumes one shows no certificate
 * again, and Node takes it for accepted, so a session must not lead to where another certificate is asked for, or a stricter
 * look is taken at it (as nginx let it before CVE-2025-23419).
 */
function sessionContext(clientAuthorities: string | undefined, clientVerify: TlsRules["clientVerify"]): string {
  if (clientAuthorities === undefined) return "comanche";
  const digest = createHash("sha256").update(`${clientVerify}\n${clientAuthorities}`).digest("base64url");
  return digest.slice(0, MAX_SESSION_CONTEXT);
}

/** What holds for both sides of a handshake. */
function contextRules(rules: Pick<TlsRules, "curves" | "suites" | "ciphers" | "minVersion">) {
  return {
    ...(rules.curves === undefined ? {} : { ecdhCurve: rules.curves }),
    ciphers: `${rules.suites ?? SUITES}:${rules.ciphers ?? CIPHERS}`,
    minVersion: rules.minVersion,
    maxVersion: "TLSv1.3",
  } satisfies SecureContextOptions;
}

/** For handshakes as a client. @throws what OpenSSL says of the identity or the rules */
export function clientContext({ identity, authorities }: ClientMaterial, rules: TlsRules): SecureContext {
  return createSecureContext({
    ...contextRules(rules),
    ...(identity === undefined ? {} : { cert: identity.certificates, key: identity.key }),
    ...(authorities === undefined ? {} : { ca: authorities }),
  });
}

/** Only where there is one certificate to show: Node does not tell which of two the client will see. */
export function stapleFor(identity: TlsIdentity, { identities }: TlsMaterial): Buffer | undefined {
  if (identity.ocsp === undefined || companionsOf(identity, identities).length > 1) return undefined;
  return Buffer.from(identity.ocsp);
}
