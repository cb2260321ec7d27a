/**
 * Addresses: the two ends of a connection, and what a socket is bound or connected to.
 */

/** An IP address in canonical form (RFC 5952), an IPv4-mapped one as IPv4, without brackets or zone; and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** The client of a connection. `address` is "unix" for a client on a Unix socket. */
export interface PeerAddress extends SocketAddress {
  /** Present where the client uses TLS, with us or with a trusted proxy in front of us. */
  readonly tls?: PeerTls;
}

interface PeerTls {
  /** The subject of the client certificate that we have verified: `CN=client one,O=…` (RFC 4514). */
  readonly subject?: string;
}

/** What one socket is bound to, or connects to. */
export type Endpoint =
  /** `host`: an address without brackets, or a name that binding or connecting looks up. `path`: absolute. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** As people write it: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/x`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.kind === "unix" ? `unix:${endpoint.path}` : formatHostPort(endpoint.host, endpoint.port);
}

/** As people write it: `127.0.0.1:54321`, `[::1]:54321`, or `unix`. */
export function formatPeer({ address, port }: PeerAddress): string {
  return address === "unix" ? address : formatHostPort(address, port);
}

function formatHostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
