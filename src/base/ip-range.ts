/**
 * Ranges of IP addresses, as lists of trusted or refused peers name them: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`
 * (RFC 4632 §3.1, RFC 4291 §2.3), and the word `unix` for every client on a Unix socket.
 *
 * An IPv4-mapped IPv6 address is the IPv4 host in it, and counts in IPv4 ranges alone: `::/0` is every IPv6 address and no
 * IPv4 one.
 */
import { IPV4_OCTETS, IPV6_OCTETS, parseIpAddress, unmapIpv4, withoutZone } from "./ip-address.ts";

export type IpRange =
  /** The first `prefix` bits of `octets`, of which there are 4 or 16; all bits behind them are zero. */
  { readonly kind: "ip"; readonly octets: Uint8Array; readonly prefix: number } | { readonly kind: "unix" };

/** The address of a client that has none. */
const UNIX = "unix";

const BITS_OF_OCTET = 8;
/** What an IPv4-mapped address has in front of its IPv4 address. */
const MAPPED_BITS = (IPV6_OCTETS - IPV4_OCTETS) * BITS_OF_OCTET;

const PREFIX_DIGITS = /^(?:0|[1-9][0-9]{0,2})$/;

/** @returns undefined for any other text, also when an address has bits behind its prefix: one of the two is a mistake */
export function parseIpRange(text: string): IpRange | undefined {
  if (text === UNIX) return { kind: "unix" };
  const [address = "", digits, ...more] = text.split("/");
  const octets = parseIpAddress(address);
  if (octets === undefined || more.length > 0) return undefined;
  const prefix = digits === undefined ? octets.length * BITS_OF_OCTET : parsePrefix(digits, octets.length);
  if (prefix === undefined || !isZeroBehind(octets, prefix)) return undefined;

  // A bit of ffff is behind any shorter prefix, so that a mapped address is never cut within it.
  const shortest = unmapIpv4(octets);
  return { kind: "ip", octets: shortest, prefix: shortest === octets ? prefix : prefix - MAPPED_BITS };
}

/** @param address  of a peer: an IP address, whose zone (`fe80::1%eth0`) is ignored, or `unix`. Others are in no range */
export function isInRanges(address: string, ranges: readonly IpRange[]): boolean {
  if (address === UNIX) return ranges.some(({ kind }) => kind === "unix");
  const octets = parseIpAddress(withoutZone(address));
  if (octets === undefined) return false;
  const shortest = unmapIpv4(octets);
  return ranges.some((range) => range.kind === "ip" && isInRange(shortest, range.octets, range.prefix));
}

/** Tells of an address whether it is in one of the ranges that a setting names. */
export function isTrustedIn(proxies: readonly { readonly range: IpRange }[]): (address: string) => boolean {
  const ranges = proxies.map(({ range }) => range);
  return (address) => isInRanges(address, ranges);
}

function isInRange(octets: Uint8Array, start: Uint8Array, prefix: number): boolean {
  if (octets.length !== start.length) return false;
  return octets.every((octet, at) => ((octet ^ (start[at] as number)) & prefixMask(prefix, at)) === 0);
}

function isZeroBehind(octets: Uint8Array, prefix: number): boolean {
  return octets.every((octet, at) => (octet & ~prefixMask(prefix, at)) === 0);
}

/** The bits of the octet at place `at` that belong to the prefix. */
function prefixMask(prefix: number, at: number): number {
  const bits = Math.min(Math.max(prefix - at * BITS_OF_OCTET, 0), BITS_OF_OCTET);
  return (0xff00 >> bits) & 0xff;
}

function parsePrefix(digits: string, octets: number): number | undefined {
  return PREFIX_DIGITS.test(digits) && Number(digits) <= octets * BITS_OF_OCTET ? Number(digits) : undefined;
}
