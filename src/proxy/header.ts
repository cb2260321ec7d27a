/**
 * What a PROXY protocol header says (HAProxy's proxy-protocol.txt, called "the specification" in this folder).
 *
 * A proxy puts the header before the first byte of a connection it forwards. Whether the sender may be believed is not
 * decided here.
 */
import type { SocketAddress } from "../base/endpoint.ts";

/** Of the client's TLS connection to the proxy (PP2_TYPE_SSL, §2.2.6). Text is raw: a log escapes it. */
export interface ProxyTls {
  /** When the client showed a certificate: in this connection, only earlier in its TLS session, or not at all. */
  readonly certificate: "in-connection" | "in-session" | "none";
  /** 0: the certificate was verified. There are senders that write 0 also when there was none: look there first. */
  readonly verify: number;
  /** As OpenSSL calls it: `TLSv1.3`. */
  readonly version?: string;
  readonly cipher?: string;
  /** Of the client certificate. */
  readonly commonName?: string;
}

/** What the TLVs said (§2.2); absent is what did not come, or came as text that is not UTF-8. Text is raw. */
export interface ProxyTlvs {
  readonly alpn?: string;
  /** The host name the client gave, with TLS its SNI. */
  readonly authority?: string;
  readonly uniqueId?: Uint8Array;
  /** Absent when the client did not speak TLS. */
  readonly tls?: ProxyTls;
}

export type ProxyHeader =
  | {
      readonly source: "proxied";
      readonly client: SocketAddress;
      /** Where the client had connected to. */
      readonly server: SocketAddress;
      /** Absent when there was none that is read here. */
      readonly tlvs?: ProxyTlvs;
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
  /** `consumed` bytes were the header, the client's own begin behind them. */
  | { readonly kind: "header"; readonly header: ProxyHeader; readonly consumed: number }
  | Rejected;

export const NEED_MORE: NeedMore = { kind: "need-more" };

export function reject(why: string): Rejected {
  return { kind: "reject", why };
}
