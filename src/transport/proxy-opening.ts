/** The PROXY header before a TLS handshake or plain bytes (HAProxy's proxy-protocol.txt §2). It is never encrypted. */
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { decodeProxyHeader } from "../proxy/decode.ts";
import type { ProxyHeader } from "../proxy/header.ts";
import { type OpeningDecision, type OpeningHooks, openTransport } from "./opening.ts";
import type { ByteStream } from "./transport.ts";

export interface ProxiedHooks extends Pick<OpeningHooks, "onRefused" | "onLeft" | "onFault"> {
  /** As in `OpeningHooks`; the transport's peer is the client that the header names. */
  readonly onOpen: (header: Uint8Array, rest: Buffer) => void;
}

/**
 * Removes a PROXY header; connections without one are refused, without an answer. Only a trusted proxy may send it,
 * because a header can claim any address. `isTrusted` gets the address of the connected peer, or `unix`.
 */
export function openProxied(
  transport: ByteStream,
  isTrusted: (address: string) => boolean,
  timeout: Milliseconds,
  { onOpen, onRefused, onLeft, onFault }: ProxiedHooks,
): void {
  if (!isTrusted(transport.peer.address)) {
    transport.destroy();
    onRefused("not a trusted proxy");
    return;
  }
  openTransport(transport, decideProxied, timeout, {
    onOpen: ({ peer }, header, rest) => {
      if (peer !== undefined) transport.peer = peer;
      onOpen(header, rest);
    },
    onRefused,
    onLeft,
    onFault,
  });
}

/** @param bytes  all received so far */
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

/** The client that the proxy names; undefined where the connection is the proxy's own. */
export function claimedPeer(header: ProxyHeader): PeerAddress | undefined {
  if (header.source === "local") return undefined;
  const { client, usesTls } = header;
  return usesTls ? { ...client, tls: {} } : client;
}
