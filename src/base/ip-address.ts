/**
 * IP addresses as text and as octets in network order (RFC 4291 §2.2, RFC 5952).
 *
 * Reading is strict: no leading zeros in IPv4, no zone and no brackets in IPv6. An IPv4-mapped IPv6 address
 * (RFC 4291 §2.5.5.2) is the IPv4 host in it: it is written as IPv4, so that one client has one text in log, access
 * lists and limits.
 */
export const IPV4_OCTETS = 4;
export const IPV6_OCTETS = 16;

const IPV4_NUMBER = /^(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$/;
const IPV6_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const IPV6_GROUPS = 8;
const OCTETS_OF_GROUP = 2;
/** An IPv4 address at the end of an IPv6 address stands for two groups. */
const GROUPS_OF_IPV4 = 2;

const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** @returns 4 or 16 octets, as written: a mapped address has 16; undefined when `text` is no address */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

export const isIpv4 = (text: string): boolean => parseIpv4(text) !== undefined;
export const isIpv6 = (text: string): boolean => parseIpv6(text) !== undefined;

/** `fe80::1` of `fe80::1%eth0`: the interface means nothing outside this machine, and no log analyser reads it. */
export function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}

export function parseIpv4(text: string): Uint8Array | undefined {
  const numbers = text.split(".");
  if (numbers.length !== IPV4_OCTETS) return undefined;
  return numbers.every((number) => IPV4_NUMBER.test(number)) ? Uint8Array.from(numbers, Number) : undefined;
}

/** All three forms of RFC 4291 §2.2; `::` stands for at least one group. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const [before = "", after, ...more] = text.split("::");
  if (more.length > 0) return undefined;

  if (after === undefined) {
    const groups = parseGroups(before, "may end in IPv4");
    return groups?.length === IPV6_OCTETS ? Uint8Array.from(groups) : undefined;
  }
  const head = parseGroups(before, "groups only");
  const tail = parseGroups(after, "may end in IPv4");
  if (head === undefined || tail === undefined || head.length + tail.length >= IPV6_OCTETS) return undefined;
  const octets = new Uint8Array(IPV6_OCTETS);
  octets.set(head);
  octets.set(tail, IPV6_OCTETS - tail.length);
  return octets;
}

/** @param octets  4 or 16 of them */
export function formatIpAddress(octets: Uint8Array): string {
  const shortest = unmapIpv4(octets);
  return shortest.length === IPV4_OCTETS ? shortest.join(".") : formatIpv6(shortest);
}

/** The 4 octets of an IPv4-mapped address; any other address as it is. */
export function unmapIpv4(octets: Uint8Array): Uint8Array {
  const isMapped = octets.length === IPV6_OCTETS && MAPPED_PREFIX.every((octet, at) => octets[at] === octet);
  return isMapped ? octets.subarray(MAPPED_PREFIX.length) : octets;
}

/** 16 octets: those of an IPv4-mapped address, or those of an IPv6 address as they are. */
export function mapIpv4(octets: Uint8Array): Uint8Array {
  return octets.length === IPV4_OCTETS ? Uint8Array.of(...MAPPED_PREFIX, ...octets) : octets;
}

/** Whether `text` is an IPv4 address or could become one by what follows; an empty text could. */
export function beginsIpv4(text: string): boolean {
  const numbers = text.split(".");
  const last = numbers.pop() ?? "";
  // Each beginning of a number up to 255 is such a number too.
  return (
    numbers.length < IPV4_OCTETS &&
    numbers.every((number) => IPV4_NUMBER.test(number)) &&
    (last === "" || IPV4_NUMBER.test(last))
  );
}

/** Whether `text` is an IPv6 address or could become one by what follows; an empty text could. */
export function beginsIpv6(text: string): boolean {
  if (text === "" || text === ":") return true;
  const [before = "", after, ...more] = text.split("::");
  if (more.length > 0) return false;

  if (after === undefined) {
    const groups = countGroupsBegun(before);
    return before.includes(".") ? groups === IPV6_GROUPS : groups <= IPV6_GROUPS;
  }
  const head = parseGroups(before, "groups only");
  return head !== undefined && head.length / OCTETS_OF_GROUP + countGroupsBegun(after) < IPV6_GROUPS;
}

/** The octets of groups between colons, none for an empty text. */
function parseGroups(text: string, form: "groups only" | "may end in IPv4"): readonly number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const ipv4 = form === "may end in IPv4" ? parseIpv4(groups.at(-1) ?? "") : undefined;
  if (ipv4 !== undefined) groups.pop();
  if (!groups.every((group) => IPV6_GROUP.test(group))) return undefined;
  return [...groups.flatMap((group) => octetsOfGroup(Number.parseInt(group, 16))), ...(ipv4 ?? [])];
}

/** How many groups there are at least once the last one is complete; NaN when it cannot be completed. */
function countGroupsBegun(text: string): number {
  if (text === "") return 0;
  const groups = text.split(":");
  const last = groups.pop() ?? "";
  if (!groups.every((group) => IPV6_GROUP.test(group))) return Number.NaN;
  if (last === "" || IPV6_GROUP.test(last)) return groups.length + 1;
  return last.includes(".") && beginsIpv4(last) ? groups.length + GROUPS_OF_IPV4 : Number.NaN;
}

function octetsOfGroup(group: number): readonly number[] {
  return [group >> 8, group & 0xff];
}

/** RFC 5952 §4: lower case, no leading zeros, `::` for the first of the longest runs of at least two zero groups. */
function formatIpv6(octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, IPV6_OCTETS);
  const groups = Array.from({ length: IPV6_GROUPS }, (_, at) => view.getUint16(at * OCTETS_OF_GROUP).toString(16));
  const { start, length } = longestZeroRun(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let longest = { start: 0, length: 0 };
  let length = 0;
  for (const [at, group] of groups.entries()) {
    length = group === "0" ? length + 1 : 0;
    if (length > longest.length) longest = { start: at + 1 - length, length };
  }
  return longest;
}
