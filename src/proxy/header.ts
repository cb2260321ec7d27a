/**
 * What a PROXY protocol header says (HAProxy's proxy-protocol.txt, called "the specification" in this folder), and the
 * layout of version 2. A proxy sends the header before the first byte of a connection it forwards. Whether to trust the
 * sender is decided elsewhere.
 */
import type { SocketAddress } from "../base/endpoint.ts";

export type ProxyHeader =
  | {
      readonly source: "proxied";
      readonly client: SocketAddress;
      /** Where the client had connected to. */
      readonly server: SocketAddress;
      /** Whether the client uses TLS with the proxy, or with one before it. Only version 2 can say so. */
      readonly usesTls: boolean;
    }
  /** The connection is the proxy's own, or its client has no IP address: the peer's own address counts. */
  | { readonly source: "local" };

export interface NeedMore {
  readonly kind: "need-more";
}

export interface Rejected {
  readonly kind: "reject";
  /** A short phrase for the log, without a byte from the client. */
  readonly why: string;
}

export type ProxyDecoding =
  | NeedMore
  /** `consumed` bytes were the header; the client's own begin after them. */
  | { readonly kind: "header"; readonly header: ProxyHeader; readonly consumed: number }
  | Rejected;

export const NEED_MORE: NeedMore = { kind: "need-more" };

export function reject(why: string): Rejected {
  return { kind: "reject", why };
}

/** The start of version 2 (§2.2); command, family with protocol, and a length of two octets follow. */
export const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** The version in the high four bits, the command in the low ones. */
export const COMMAND = { LOCAL: 0x20, PROXY: 0x21 } as const;
/** The family in the high four bits, the transport protocol in the low ones. */
export const FAMILY = { UNSPEC: 0x00, TCP_OVER_IPV4: 0x11, TCP_OVER_IPV6: 0x21, UNIX_STREAM: 0x31 } as const;
/** Types of the TLVs after the addresses: each is one octet of type, two of length, and the value. */
export const TLV = { ALPN: 0x01, AUTHORITY: 0x02, CRC32C: 0x03, UNIQUE_ID: 0x05, SSL: 0x20 } as const;
/** Types of the TLVs within the value of SSL. */
export const SSL_TLV = { VERSION: 0x21, CN: 0x22, CIPHER: 0x23 } as const;
/** Client flags of SSL: the client uses TLS, and when it showed a certificate. */
export const CLIENT = { SSL: 0x01, CERT_CONN: 0x02, CERT_SESS: 0x04 } as const;
/** Of SSL's value before its own TLVs: the client flags, and 32 bits of `verify`. */
export const SSL_HEAD_OCTETS = 5;
export const MAX_UNIQUE_ID_OCTETS = 128;
