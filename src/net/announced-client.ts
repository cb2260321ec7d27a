/**
 * Who a client is, as its connection tells it, in the form in which a backend is told.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { PeerAddress } from "../http/exchange.ts";
import type { AnnouncedClient } from "../proxy/announce.ts";
import type { ProxyTls, ProxyTlvs } from "../proxy/header.ts";

/** @returns undefined for a client that has gone already */
export function describeClient(socket: Socket, peer: PeerAddress, header: Uint8Array): AnnouncedClient | undefined {
  const { localAddress, localPort = 0, remoteAddress } = socket;
  // Of one that was reset before it was accepted, only our own end is known.
  if (localAddress === undefined || remoteAddress === undefined || socket.destroyed) return undefined;
  return {
    client: peer,
    server: { address: localAddress, port: localPort },
    tlvs: () => (socket instanceof TLSSocket ? describeTls(socket) : {}),
    header,
  };
}

function describeTls(socket: TLSSocket): ProxyTlvs {
  const { alpnProtocol } = socket;
  const authority: unknown = "servername" in socket ? socket.servername : undefined;
  return {
    ...(typeof alpnProtocol === "string" ? { alpn: alpnProtocol } : {}),
    ...(typeof authority === "string" ? { authority } : {}),
    tls: describeSession(socket),
  };
}

function describeSession(socket: TLSSocket): ProxyTls {
  const certificate = socket.getPeerX509Certificate();
  const version = socket.getProtocol();
  const [, commonName] = /^CN=(.*)$/m.exec(certificate?.subject ?? "") ?? [];
  const shown = socket.isSessionReused() ? "in-session" : "in-connection";
  return {
    certificate: certificate === undefined ? "none" : shown,
    verify: socket.authorized ? VERIFIED : NOT_VERIFIED,
    ...(version === null ? {} : { version }),
    cipher: socket.getCipher().name,
    ...(commonName === undefined ? {} : { commonName }),
  };
}

const VERIFIED = 0;
const NOT_VERIFIED = 1;
