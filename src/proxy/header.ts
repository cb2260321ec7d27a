/**
 * What a PROXY protocol header says (HAProxy's proxy-protocol.txt, called "the specification" in this folder).
 *
 * A proxy puts the header before the first byte of a connection it forwards. Whether the sender may be believed is not
 * decided here.
 */
import type { SocketAddress } from "../base/endpoint.ts";

export type ProxyHeader =
  | {
      readonly source: "proxied";
      readonly client: SocketAddress;
      /** Where the client had connected to. */
      readonly server: SocketAddress;
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
