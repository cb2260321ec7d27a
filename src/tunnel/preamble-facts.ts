/** Describes a client for the preamble that a backend gets. */
import type { X509Certificate } from "node:crypto";
import type { PreambleFacts, ProxyTls, ProxyTlvs } from "../proxy/encode.ts";
import { verifyNumber } from "../tls/client-proof.ts";
import type { TlsSession } from "../tls/tls-session.ts";
import type { ByteStream } from "../transport/transport.ts";

/** What is known of a client besides its connection. */
export interface ClientFacts {
  /** The PROXY header before it; empty where there was none. */
  readonly header: Uint8Array;
  /** Undefined for a plain connection. */
  readonly session?: TlsSession;
  /** The SNI name; Node does not know it for a resumed session. */
  readonly serverName?: string | undefined;
}

/** @returns undefined for a client that has disconnected already */
export function describeClient(
  stream: ByteStream,
  { header, session, serverName }: ClientFacts,
): PreambleFacts | undefined {
  const { local, peer } = stream;
  if (local === undefined) return undefined;
  return {
    client: peer,
    server: local,
    tlvs: () => (session === undefined ? {} : describeTls(session, serverName)),
    header,
  };
}

function describeTls(session: TlsSession, authority: string | undefined): ProxyTlvs {
  const { alpn } = session;
  return {
    ...(alpn === undefined ? {} : { alpn }),
    ...(authority === undefined ? {} : { authority }),
    tls: describeSession(session),
  };
}

function describeSession({ certificate, version, cipher, isResumed, proof }: TlsSession): ProxyTls {
  const commonName = certificate && commonNameOf(certificate);
  const shown = isResumed ? "in-session" : "in-connection";
  return {
    certificate: certificate === undefined ? "none" : shown,
    verify: verifyNumber(proof),
    ...(version === undefined ? {} : { version }),
    ...(cipher === undefined ? {} : { cipher }),
    ...(commonName === undefined ? {} : { commonName }),
  };
}

/** As in the certificate, without the escapes of a subject (RFC 4514); the first of several. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  // The types allow only one.
  const names: string | readonly string[] | undefined = certificate.toLegacyObject().subject?.CN;
  return typeof names === "object" ? names[0] : names;
}
