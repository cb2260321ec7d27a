/**
 * The client of a request behind proxies: X-Forwarded-For, to whose end each proxy adds its peer's address. A client
 * can invent everything left of the last untrusted address, so the list is read from its end. Forwarded (RFC 7239) is
 * not read: we cannot know which of the two a proxy sets and which it only passes on.
 *
 * X-Forwarded-Proto says whether that client uses TLS. Most proxies replace it, others add to its end too. So of several
 * members, that of the proxy which named the client counts, or the first where there are fewer.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { formatIpAddress, parseIpAddress, parseIpv4, parseIpv6 } from "../base/ip-address.ts";
import { splitList } from "./field-syntax.ts";
import type { RequestFields } from "./request-head.ts";

// An IPv4 address, or anything in brackets; a port after it is skipped.
const MAYBE_WITH_PORT = /^(?:([0-9.]+)|\[([^\]]*)\])(?::[0-9]{1,5})?$/;

/**
 * The last address, on the way from the peer back to the client, that a trusted one reported.
 * @param isTrusted  called for the peer, then for each address from the end of the list, while it returns true
 * @returns an IP address in canonical form (RFC 5952), an IPv4-mapped one as IPv4, without a port; the peer itself when
 *   it is none. When all are trusted, the first of the list; what is no address ends the chain before it. TLS with us
 *   counts whatever a proxy says.
 */
export function clientOf(
  peer: PeerAddress,
  fields: RequestFields,
  isTrusted: (address: string) => boolean,
): PeerAddress {
  let address = canonicalOf(peer.address);
  const [forwarded, protocols] = [fields.get("x-forwarded-for"), fields.get("x-forwarded-proto")];
  let proxies = 0;
  if (forwarded !== undefined || protocols !== undefined) {
    const members = membersOf(forwarded);
    while (isTrusted(address)) {
      proxies += 1;
      const next = parseMember(members.pop() ?? "");
      if (next === undefined) break;
      address = next;
    }
  }
  const client = address === peer.address ? peer : { ...peer, address, port: 0 };
  const usesTls = client.tls === undefined && proxies > 0 && isHttps(membersOf(protocols), proxies);
  return usesTls ? { ...client, tls: {} } : client;
}

/** @param proxies  how many trusted ones there are, of which the last named the client */
function isHttps(members: readonly string[], proxies: number): boolean {
  return (members.at(-proxies) ?? members[0]) === "https";
}

/** In lower case. */
function membersOf(list: string | undefined): string[] {
  return splitList(list ?? "").filter((member) => member !== "");
}

/** Whether a proxy says that it forwards the request for another client. Any client can say so. */
export function isForwarded(fields: RequestFields): boolean {
  return fields.has("via") || fields.has("x-forwarded-for") || fields.has("forwarded");
}

function canonicalOf(address: string): string {
  const octets = parseIpAddress(address);
  return octets === undefined ? address : formatIpAddress(octets);
}

function parseMember(member: string): string | undefined {
  const [, ipv4, bracketed] = MAYBE_WITH_PORT.exec(member) ?? [];
  const octets = ipv4 === undefined ? parseIpv6(bracketed ?? member) : parseIpv4(ipv4);
  return octets === undefined ? undefined : formatIpAddress(octets);
}
