/**
 * Who a client is, as its connection tells it, in the form in which a backend is told.
 */
import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import type { AnnouncedClient } from "../proxy/announce.ts";
import type { ProxyTls, ProxyTlvs } from "../proxy/encode.ts";

/**
 * @param serverName  that it has asked for; Node does not know it of a session that was resumed
 * @returns undefined for a client that has gone already
 */
export function describeClient(
  socket: Socket,
  peer: PeerAddress,
  header: Uint8Array,
  serverName: string | undefined,
): AnnouncedClient | undefined {
  const { localAddress, localPort = 0, remoteAddress } = socket;
  // Of one that was reset before it was accepted, only our own end is known.
  if (localAddress === undefined || remoteAddress === undefined || socket.destroyed) return undefined;
  return {
    client: peer,
    server: { address: localAddress, port: localPort },
    tlvs: () => (socket instanceof TLSSocket ? describeTls(socket, serverName) : {}),
    header,
  };
}

function describeTls(socket: TLSSocket, authority: string | undefined): ProxyTlvs {
  const { alpnProtocol } = socket;
  return {
    ...(typeof alpnProtocol === "string" ? { alpn: alpnProtocol } : {}),
    ...(authority === undefined ? {} : { authority }),
    tls: describeSession(socket),
  };
}

function describeSession(socket: TLSSocket): ProxyTls {
  const certificate = socket.getPeerX509Certificate();
  const version = socket.getProtocol();
  const commonName = certificate && commonNameOf(certificate);
  const shown = socket.isSessionReused() ? "in-session" : "in-connection";
  return {
    certificate: certificate === undefined ? "none" : shown,
    // Of a session that was resumed Node says so without a certificate too.
    verify: certificate !== undefined && socket.authorized ? VERIFIED : NOT_VERIFIED,
    ...(version === null ? {} : { version }),
    cipher: socket.getCipher().name,
    ...(commonName === undefined ? {} : { commonName }),
  };
}

/** As the certificate has it, not as it is written in a subject (RFC 4514); the first of several. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  // The types know of one alone.
  const names: string | readonly string[] | undefined = certificate.toLegacyObject().subject?.CN;
  return typeof names === "object" ? names[0] : names;
}

const VERIFIED = 0;
const NOT_VERIFIED = 1;
