/**
 * Addresses and host names as a configuration writes them: to listen on, to serve, to refuse (RFC 3986 §3.2.2).
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { isIpv4, isIpv6 } from "../base/ip-address.ts";

/** Every address, one address, a host name still to be looked up, or a Unix socket. */
export type ListenAddress =
  /** `*`: all addresses of both families. */
  | { readonly kind: "every" }
  /** `address` without brackets; an IPv6 address may carry a zone (`fe80::1%eth0`). */
  | { readonly kind: "ip"; readonly family: 4 | 6; readonly address: string }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "unix"; readonly path: AbsolutePath };

const MAX_NAME_LENGTH = 253;
const LABELS = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const ONLY_NUMBERS = /^[0-9.]+$/;

const UNIX_PREFIX = "unix:";
/** What a socket address structure takes on Linux, its final NUL aside. */
const MAX_UNIX_PATH_BYTES = 107;

/** @returns undefined when `text` is none of the four */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text === "*") return { kind: "every" };
  if (text.startsWith(UNIX_PREFIX)) return parseUnixPath(text.slice(UNIX_PREFIX.length));
  if (isIpv4(text)) return { kind: "ip", family: 4, address: text };
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const [, address = "", zone = ""] = /^([^%]*)(%[\w.-]{1,32})?$/.exec(bare) ?? [];
  if (isIpv6(address)) return { kind: "ip", family: 6, address: address.toLowerCase() + zone };
  const name = text.toLowerCase();
  return isDnsName(name) ? { kind: "name", name } : undefined;
}

export function formatListenAddress(address: ListenAddress): string {
  switch (address.kind) {
    case "every":
      return "*";
    case "ip":
      return address.address;
    case "name":
      return address.name;
    case "unix":
      return UNIX_PREFIX + address.path;
  }
}

function parseUnixPath(path: string): ListenAddress | undefined {
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0")) return undefined;
  if (new TextEncoder().encode(path).length > MAX_UNIX_PATH_BYTES) return undefined;
  return { kind: "unix", path: absolutePath(path) };
}

/** @param host  a name, an IPv4 address, or an IPv6 address with or without a zone */
export function isBackendName(host: string): boolean {
  return parseListenAddress(host)?.kind === "name";
}

/**
 * The name of a site as a request's host is kept: in lower case, without final dot, an IPv6 address in brackets, which a
 * bare one gets. Undefined when `text` cannot be one.
 */
export function parseHostName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, "");
  if (isIpv6(name)) return `[${name}]`;
  if (name.startsWith("[") && name.endsWith("]")) return isIpv6(name.slice(1, -1)) ? name : undefined;
  return isIpv4(name) || isDnsName(name) ? name : undefined;
}

/** Four numbers that are no address (`127.0.0.256`) are a slip of the hand, not a name. */
function isDnsName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && LABELS.test(text) && !ONLY_NUMBERS.test(text);
}
