/**
 * OpenSSL's options for one side of TLS: certificates, and the rules of the settings.
 *
 * All processes of a server share the keys of session tickets (RFC 5077, RFC 8446 §4.6.1), so each can resume sessions
 * of the others. No session is stored here. Node's option takes one key; its internals let us decrypt with several.
 */
import { constants, createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Milliseconds } from "../base/units.ts";
import { answerTickets } from "../transport/node-internals.ts";
import { planShowings, type Showing } from "./certificate-choice.ts";
import type { ClientVerify } from "./client-proof.ts";
import { answerTicket, type TicketRing } from "./ticket-ring.ts";
import type { ClientMaterial, TlsMaterial } from "./tls-identity.ts";

export interface TlsRules {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** For TLS 1.2, in OpenSSL's syntax; undefined for our default. */
  readonly ciphers: string | undefined;
  /** For TLS 1.3; undefined for our default. */
  readonly suites: string | undefined;
  /** Key exchange groups, separated by colons; undefined for OpenSSL's default. */
  readonly curves: string | undefined;
  /** Whether a client with an unknown SNI name is rejected; otherwise it gets the fallback. */
  readonly sniStrict: boolean;
  /** Which clients are refused, if there are authorities for their certificates. */
  readonly clientVerify: ClientVerify;
  readonly handshakeTimeout: Milliseconds;
  /** Protocols for ALPN (RFC 7301); a client that offers only others is rejected. Empty: no ALPN. */
  readonly alpn: readonly string[];
}

/** Only forward secrecy and authenticated encryption. DHE ciphers need parameters in the PEM file. */
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
/** OpenSSL's maximum (SSL_MAX_SID_CTX_LENGTH). */
const MAX_SESSION_CONTEXT = 32;

/** Checks all with OpenSSL; call it after reading the files, before any change. @throws what OpenSSL reports */
export function checkMaterial(material: TlsMaterial, rules: TlsRules): void {
  for (const [index, { together, alone }] of planShowings(material).entries()) {
    try {
      for (const showing of [together, ...alone]) serverContext(showing, material, rules);
    } catch (cause) {
      throw new Error(
        `${material.identities[index]?.file}: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
  }
}

/** For server-side handshakes. @throws what OpenSSL reports about the identity or the rules */
export function serverContext(showing: Showing, material: TlsMaterial, rules: TlsRules): SecureContext {
  const secure = createSecureContext(contextOptions(showing, material, rules));
  useTicketRing(secure.context, material.ticketKeys);
  return secure;
}

/** @returns false where this Node cannot: then the first key alone is used */
export function useTicketRing(context: object, ring: TicketRing): boolean {
  return answerTickets(context, (name, _vector, isNew) => answerTicket(ring, isNew ? undefined : name));
}

/** Whether this Node can decrypt with more than one key. */
export function takesSeveralTicketKeys(): boolean {
  return useTicketRing(createSecureContext({ ca: [] }).context, []);
}

/** Options for server-side handshakes, with the first ticket key alone. */
export function contextOptions({ identities, dhParameters }: Showing, material: TlsMaterial, rules: TlsRules) {
  const { clientAuthorities, ticketKeys } = material;
  const [ticketKey] = ticketKeys;
  return {
    cert: identities.map(({ certificates }) => certificates),
    key: identities.map(({ key }) => key),
    ...(dhParameters === undefined ? {} : { dhparam: dhParameters }),
    ...(clientAuthorities === undefined ? {} : { ca: clientAuthorities }),
    ...contextRules(rules),
    honorCipherOrder: true,
    // A client cannot renegotiate on a connection (CVE-2011-1473).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
    sessionIdContext: sessionContext(clientAuthorities, rules.clientVerify),
    ...(ticketKey === undefined ? {} : { ticketKeys: Buffer.from(ticketKey) }),
  } satisfies SecureContextOptions;
}

/**
 * Sessions resume where this is equal: in all our processes, on every machine. A resumed client shows no certificate
 * again, and Node takes it as verified. So a session must not resume where other or stricter certificate rules hold (as
 * nginx allowed before CVE-2025-23419).
 */
function sessionContext(clientAuthorities: string | undefined, clientVerify: ClientVerify): string {
  if (clientAuthorities === undefined) return "comanche";
  const digest = createHash("sha256").update(`${clientVerify}\n${clientAuthorities}`).digest("base64url");
  return digest.slice(0, MAX_SESSION_CONTEXT);
}

/** Rules for both sides of a handshake. */
function contextRules(rules: Pick<TlsRules, "curves" | "suites" | "ciphers" | "minVersion">) {
  return {
    ...(rules.curves === undefined ? {} : { ecdhCurve: rules.curves }),
    ciphers: `${rules.suites ?? SUITES}:${rules.ciphers ?? CIPHERS}`,
    minVersion: rules.minVersion,
    maxVersion: "TLSv1.3",
  } satisfies SecureContextOptions;
}

/** For client-side handshakes. @throws what OpenSSL reports about the identity or the rules */
export function clientContext({ identity, authorities }: ClientMaterial, rules: TlsRules): SecureContext {
  return createSecureContext({
    ...contextRules(rules),
    ...(identity === undefined ? {} : { cert: identity.certificates, key: identity.key }),
    ...(authorities === undefined ? {} : { ca: authorities }),
  });
}
