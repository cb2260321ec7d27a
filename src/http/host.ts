/**
 * The host a request is for: Host, or the authority of an absolute-form target (RFC 9112 §3.2, RFC 3986 §3.2.2).
 * Percent-encoded bytes are checked and kept: such a name is valid, and equal to no site's name. An IPv6 address is
 * checked and not shortened. IPvFuture and zone identifiers are rejected: no site can have them.
 */
import { parseIpv6 } from "../base/ip-address.ts";

export interface Host {
  /** In lower case, without port and without one final dot; an IPv6 address keeps its brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

// A name, or anything in brackets; then perhaps a colon and digits.
const NAME_AND_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]*))?$/;
const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const DIRECTORY_NAME = /^[A-Za-z0-9\-._:[\]]+$/;

const MAX_PORT = 65535;
const MAX_DIRECTORY_NAME_BYTES = 253;

/**
 * Reads `host [":" port]`. An empty port is no port (RFC 3986 §3.2.3).
 * @param text  without blanks around it
 * @returns undefined for anything else: empty, with userinfo, path or query, a port over 65535, …
 */
export function parseHost(text: string): Host | undefined {
  const [, host = "", digits = ""] = NAME_AND_PORT.exec(text) ?? [];
  const port = digits === "" ? undefined : Number(digits);
  if (port !== undefined && port > MAX_PORT) return undefined;

  if (host.startsWith("["))
    return parseIpv6(host.slice(1, -1)) === undefined ? undefined : { name: host.toLowerCase(), port };

  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return REG_NAME.test(name) ? { name: name.toLowerCase(), port } : undefined;
}

/**
 * Whether a directory of that name may be looked up. Stricter than a valid host: the name is one path component that
 * neither climbs nor hides, and no byte of it needs an escape.
 */
export function isHostDirectoryName(name: string): boolean {
  return name.length <= MAX_DIRECTORY_NAME_BYTES && !name.startsWith(".") && DIRECTORY_NAME.test(name);
}
