import assert from "node:assert/strict";
import { BlockList, isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { formatIpAddress, IPV4_OCTETS } from "../../src/base/ip-address.ts";
import { type IpRange, isInRanges, parseIpRange } from "../../src/base/ip-range.ts";

const ip = (prefix: number, ...octets: number[]): IpRange => ({ kind: "ip", octets: Uint8Array.from(octets), prefix });
const ipv6 = (prefix: number, hex: string): IpRange => ip(prefix, ...Buffer.from(hex.padEnd(32, "0"), "hex"));

const valid: [name: string, text: string, want: IpRange][] = [
  ["one IPv4 address", "192.0.2.7", ip(32, 192, 0, 2, 7)],
  ["an IPv4 range", "192.0.2.0/24", ip(24, 192, 0, 2, 0)],
  ["a prefix that ends within an octet", "172.16.0.0/12", ip(12, 172, 16, 0, 0)],
  ["all of IPv4", "0.0.0.0/0", ip(0, 0, 0, 0, 0)],
  ["one address with its prefix", "192.0.2.7/32", ip(32, 192, 0, 2, 7)],
  ["one IPv6 address", "::1", ipv6(128, "00000000000000000000000000000001")],
  ["an IPv6 range", "2001:DB8::/32", ipv6(32, "20010db8")],
  ["an IPv6 prefix that ends within an octet", "fe80::/10", ipv6(10, "fe80")],
  ["all of IPv6", "::/0", ipv6(0, "")],
  ["one IPv4-mapped address", "::ffff:192.0.2.7", ip(32, 192, 0, 2, 7)],
  ["an IPv4-mapped range", "::ffff:192.0.2.0/120", ip(24, 192, 0, 2, 0)],
  ["all IPv4-mapped addresses", "::ffff:0:0/96", ip(0, 0, 0, 0, 0)],
  ["clients on a Unix socket", "unix", { kind: "unix" }],
];
for (const [name, text, want] of valid) {
  test(`parseIpRange takes ${name}: ${text}`, () => assert.deepEqual(parseIpRange(text), want));
}

const invalid: [name: string, text: string][] = [
  ["nothing", ""],
  ["a prefix alone", "/24"],
  ["a name", "localhost"],
  ["a star", "*"],
  ["three numbers", "192.0.2/24"],
  ["an empty prefix", "192.0.2.0/"],
  ["two prefixes", "192.0.2.0/24/24"],
  ["a prefix with a sign", "192.0.2.0/+24"],
  ["a prefix with a zero in front", "192.0.2.0/024"],
  ["a mask", "192.0.2.0/255.255.255.0"],
  ["a blank before the prefix", "192.0.2.0 /24"],
  ["a line end behind", "192.0.2.0/24\n"],
  ["an IPv4 prefix too long", "192.0.2.0/33"],
  ["an IPv6 prefix too long", "::/129"],
  ["a bit behind an IPv4 prefix", "192.0.2.7/24"],
  ["a bit behind a prefix that ends within an octet", "172.16.0.0/11"],
  ["a bit behind an empty prefix", "0.0.0.1/0"],
  ["a bit behind an IPv6 prefix", "2001:db8::1/32"],
  ["a mapped range that begins before the IPv4 address", "::ffff:0:0/95"],
  ["brackets", "[::1]"],
  ["a zone", "fe80::1%eth0"],
  ["a Unix socket with a prefix", "unix/8"],
  ["a Unix socket in upper case", "UNIX"],
];
for (const [name, text] of invalid) {
  test(`parseIpRange refuses ${name}: ${JSON.stringify(text)}`, () => assert.equal(parseIpRange(text), undefined));
}

function rangesOf(...texts: readonly string[]): readonly IpRange[] {
  return texts.map((text) => parseIpRange(text) ?? assert.fail(`not a range: ${text}`));
}

const memberships: [name: string, address: string, ranges: string[], want: boolean][] = [
  ["no ranges", "192.0.2.7", [], false],
  ["the address itself", "192.0.2.7", ["192.0.2.7"], true],
  ["its neighbour", "192.0.2.6", ["192.0.2.7"], false],
  ["the first of a range", "192.0.2.0", ["192.0.2.0/24"], true],
  ["the last of a range", "192.0.2.255", ["192.0.2.0/24"], true],
  ["the one behind a range", "192.0.3.0", ["192.0.2.0/24"], false],
  ["the last of a range that ends within an octet", "172.31.255.255", ["172.16.0.0/12"], true],
  ["the one behind it", "172.32.0.0", ["172.16.0.0/12"], false],
  ["the second of two ranges", "10.1.2.3", ["192.0.2.0/24", "10.0.0.0/8"], true],
  ["IPv4-mapped in an IPv4 range", "::ffff:192.0.2.7", ["192.0.2.0/24"], true],
  ["IPv4 in an IPv4-mapped range", "192.0.2.7", ["::ffff:192.0.2.0/120"], true],
  ["IPv4 in all of IPv6", "192.0.2.7", ["::/0"], false],
  ["IPv4-mapped in all of IPv6", "::ffff:192.0.2.7", ["::/0"], false],
  ["IPv6 in all of IPv4", "::1", ["0.0.0.0/0"], false],
  ["IPv6 in a range", "2001:db8:ffff::1", ["2001:db8::/32"], true],
  ["IPv6 behind a range", "2001:db9::", ["2001:db8::/32"], false],
  ["IPv6 in another form", "2001:DB8:0::0:1", ["2001:db8::1"], true],
  ["IPv6 with a zone", "fe80::1%eth0", ["fe80::/10"], true],
  ["a Unix socket", "unix", ["192.0.2.7", "unix"], true],
  ["a Unix socket that is not listed", "unix", ["0.0.0.0/0", "::/0"], false],
  ["an address, where only Unix sockets are listed", "127.0.0.1", ["unix"], false],
  ["an unknown peer", "unknown", ["0.0.0.0/0", "::/0", "unix"], false],
  ["no address", "", ["0.0.0.0/0", "::/0", "unix"], false],
];
for (const [name, address, ranges, want] of memberships) {
  test(`isInRanges: ${name}`, () => assert.equal(isInRanges(address, rangesOf(...ranges)), want));
}

const anyOctets = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const familyOf = (text: string) => (isIP(text) === 4 ? "ipv4" : "ipv6");

/** An address, a prefix, and another address that differs from the first at one bit, or at many. */
const neighbours = anyOctets.chain((octets) =>
  fc.record({
    octets: fc.constant(octets),
    prefix: fc.nat(octets.length * 8),
    other: fc.oneof(
      anyOctets,
      fc
        .nat(octets.length * 8 - 1)
        .map((bit) => octets.map((octet, at) => (at === bit >> 3 ? octet ^ (0x80 >> (bit & 7)) : octet))),
    ),
  }),
);

test("a range takes what the system's block list takes of the same family", () => {
  fc.assert(
    fc.property(neighbours, ({ octets, prefix, other }) => {
      const start = octets.map((octet, at) => octet & ~(0xff >> Math.min(Math.max(prefix - 8 * at, 0), 8)));
      const [network, address] = [formatIpAddress(start), formatIpAddress(other)];
      // A mapped network is written as IPv4, and has a prefix of another length then.
      fc.pre((familyOf(network) === "ipv4") === (octets.length === IPV4_OCTETS));
      const list = new BlockList();
      list.addSubnet(network, prefix, familyOf(network));
      // The system's list compares IPv4 with IPv6 in mapped form, so that ::/0 has both.
      const isThere = familyOf(address) === familyOf(network) && list.check(address, familyOf(address));
      assert.equal(isInRanges(address, rangesOf(`${network}/${prefix}`)), isThere);
    }),
    { numRuns: 2000 },
  );
});

test("no text throws, and a range begins with a member of itself", () => {
  const piece = fc.constantFrom(
    "0",
    "1",
    "10",
    "24",
    "32",
    "128",
    "255",
    ".",
    ".0.0.0",
    "/",
    ":",
    "::",
    "ffff",
    "unix",
    "%",
    " ",
  );
  const rangeLike = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 10 }).map((parts) => parts.join("")),
    fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(130)).map(([address, prefix]) => `${address}/${prefix}`),
  );
  fc.assert(
    fc.property(rangeLike, fc.string(), (text, address) => {
      const range = parseIpRange(text);
      isInRanges(address, range === undefined ? [] : [range]);
      if (range === undefined) return;
      assert.equal(isInRanges(text.split("/")[0] ?? "", [range]), true);
    }),
    { numRuns: 2000 },
  );
});
