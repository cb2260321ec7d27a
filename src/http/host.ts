/**
 * The host a request is for: the value of Host, or the authority of an absolute-form target (RFC 9112 §3.2, RFC 3986 §3.2.2).
 *
 * Percent-encoded bytes are checked and left as they are: such a name is valid, and equal to no site's name. An IPv6
 * address is checked and not shortened. IPvFuture and zone identifiers are refused: nothing here could stand behind them.
 */
export interface Host {
  /** In lower case, without port and without one final dot; an IPv6 address keeps its brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

// A name, or anything between brackets; then perhaps a colon, and perhaps digits after it.
const NAME_AND_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]*))?$/;
const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const DIRECTORY_NAME = /^[A-Za-z0-9\-._:[\]]+$/;
const IPV6_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const IPV4_OCTET = /^(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$/;

const MAX_PORT = 65535;
const MAX_DIRECTORY_NAME_BYTES = 253;
const IPV6_GROUPS = 8;

/**
 * Reads `host [":" port]`. An empty port is no port (RFC 3986 §3.2.3).
 *
 * @param text  without blanks around it
 * @returns undefined when it is anything else: empty, with userinfo, path or query, a port over 65535, …
 */
export function parseHost(text: string): Host | undefined {
  const [, host = "", digits = ""] = NAME_AND_PORT.exec(text) ?? [];
  const port = digits === "" ? undefined : Number(digits);
  if (port !== undefined && port > MAX_PORT) return undefined;

  if (host.startsWith("[")) return isIpv6Address(host.slice(1, -1)) ? { name: host.toLowerCase(), port } : undefined;

  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return REG_NAME.test(name) ? { name: name.toLowerCase(), port } : undefined;
}

/**
 * Whether a host's name may be looked for as the name of a directory. Stricter than what is a valid host: the name
 * becomes one path component, so it neither climbs nor hides, and no byte of it needs an escape anywhere.
 */
export function isHostDirectoryName(name: string): boolean {
  return name.length <= MAX_DIRECTORY_NAME_BYTES && !name.startsWith(".") && DIRECTORY_NAME.test(name);
}

/** RFC 3986 §3.2.2, IPv6address: eight groups, or fewer around one `::`, which stands for at least one. */
function isIpv6Address(text: string): boolean {
  const [before = "", after, ...more] = text.split("::");
  if (more.length > 0) return false;
  if (after === undefined) return countGroups(before, "may end in IPv4") === IPV6_GROUPS;
  return countGroups(before, "groups only") + countGroups(after, "may end in IPv4") < IPV6_GROUPS;
}

/** How many 16-bit groups `text` stands for; an IPv4 address at its end counts for two. NaN when it is malformed. */
function countGroups(text: string, form: "groups only" | "may end in IPv4"): number {
  if (text === "") return 0;
  const groups = text.split(":");
  const last = groups.at(-1) ?? "";
  if (form === "may end in IPv4" && isIpv4Address(last)) {
    return groups.slice(0, -1).every((group) => IPV6_GROUP.test(group)) ? groups.length + 1 : Number.NaN;
  }
  return groups.every((group) => IPV6_GROUP.test(group)) ? groups.length : Number.NaN;
}

function isIpv4Address(text: string): boolean {
  const octets = text.split(".");
  return octets.length === 4 && octets.every((octet) => IPV4_OCTET.test(octet));
}
