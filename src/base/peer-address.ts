/** Who is at the other end. `address` is "unix" for a client on a Unix socket. */
export interface PeerAddress {
  readonly address: string;
  readonly port: number;
  /** Present on a connection that is sealed. */
  readonly tls?: PeerTls;
}

export interface PeerTls {
  /** Of the certificate that the client has shown and that was verified: `CN=client one,O=…` (RFC 4514). */
  readonly subject?: string;
}
