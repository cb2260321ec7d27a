/**
 * The PROXY protocol header in front of a TLS handshake or of plain bytes (HAProxy's proxy-protocol.txt §2). It always comes
 * in plain, and what is sealed begins behind it.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { decodeProxyHeader } from "../proxy/decode.ts";
import type { ProxyHeader } from "../proxy/header.ts";
import { type OpeningDecision, type OpeningHooks, openTransport } from "./opening.ts";
import type { ByteStream } from "./transport.ts";

export interface ProxiedHooks extends Pick<OpeningHooks, "onRefused" | "onFault"> {
  /** As `OpeningHooks` has it; the peer is the client that the header names. */
  readonly onOpen: (header: Uint8Array, rest: Buffer) => void;
}

/**
 * Takes a PROXY header off, without which nobody is served. Only a trusted proxy may send it: anybody else could take any
 * address for his own. Nothing is answered to who is refused.
 *
 * @param isTrusted  asked with the address of whoever has connected to us, or `unix`
 */
export function openProxied(
  transport: ByteStream,
  isTrusted: (address: string) => boolean,
  patience: Milliseconds,
  { onOpen, onRefused, onFault }: ProxiedHooks,
): void {
  if (!isTrusted(transport.peer.address)) {
    transport.destroy();
    onRefused("not a trusted proxy");
    return;
  }
  openTransport(transport, decideProxied, patience, {
    onOpen: ({ peer }, header, rest) => {
      if (peer !== undefined) transport.peer = peer;
      onOpen(header, rest);
    },
    onRefused,
    onFault,
  });
}

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
