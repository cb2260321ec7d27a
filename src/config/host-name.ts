/**
 * Host names as a configuration writes them: to listen on, to serve, to refuse (RFC 3986 §3.2.2).
 *
 * They are kept as a request's host is: in lower case, without port and final dot, an IPv6 address in brackets.
 */
import { isIpv4, isIpv6 } from "../base/ip-address.ts";

const MAX_NAME_LENGTH = 253;
const LABELS = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const ONLY_NUMBERS = /^[0-9.]+$/;

/** The name of a site, or undefined when `text` cannot be one. A bare IPv6 address gets its brackets. */
export function parseHostName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, "");
  if (isIpv6(name)) return `[${name}]`;
  if (name.startsWith("[") && name.endsWith("]")) return isIpv6(name.slice(1, -1)) ? name : undefined;
  return isIpv4(name) || isDnsName(name) ? name : undefined;
}

/** Four numbers that are no address (`127.0.0.256`) are a slip of the hand, not a name. */
export function isDnsName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && LABELS.test(text) && !ONLY_NUMBERS.test(text);
}
