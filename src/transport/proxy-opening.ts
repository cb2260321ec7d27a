/**
 * The PROXY protocol header in front of a TLS handshake or of plain bytes (HAProxy's proxy-protocol.txt §2). It always comes
 * in plain, and what is sealed begins behind it.
 *
 * Whether the sender may be believed has been decided before.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { decodeProxyHeader } from "../proxy/decode.ts";
import type { ProxyHeader } from "../proxy/header.ts";
import type { OpeningDecision } from "./socket-opening.ts";

/** @param bytes  all that came so far */
export function decideProxied(bytes: Uint8Array): OpeningDecision {
  const decoding = decodeProxyHeader(bytes);
  switch (decoding.kind) {
    case "need-more":
      return decoding;
    case "reject":
      return { kind: "refused", why: decoding.why, answer: "" };
    case "header":
      return { kind: "open", consumed: decoding.consumed, peer: claimedPeer(decoding.header) };
  }
}

/** Who the proxy says is there; undefined where the connection is the proxy's own. */
export function claimedPeer(header: ProxyHeader): PeerAddress | undefined {
  if (header.source === "local") return undefined;
  const { address, port } = header.client;
  return { address, port };
}
