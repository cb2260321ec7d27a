import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  beginsIpv4,
  beginsIpv6,
  formatIpAddress,
  mapIpv4,
  parseIpAddress,
  parseIpv4,
  parseIpv6,
  unmapIpv4,
} from "../../src/base/ip-address.ts";

const hexOf = (octets: Uint8Array | undefined) =>
  octets === undefined ? undefined : Buffer.from(octets).toString("hex");

const valid: [name: string, text: string, hex: string, canonical: string][] = [
  ["IPv4", "192.0.2.1", "c0000201", "192.0.2.1"],
  ["IPv4, the lowest", "0.0.0.0", "00000000", "0.0.0.0"],
  ["IPv4, the highest", "255.255.255.255", "ffffffff", "255.255.255.255"],
  ["no group", "::", "00000000000000000000000000000000", "::"],
  ["the last group", "::1", "00000000000000000000000000000001", "::1"],
  ["the first group", "1::", "00010000000000000000000000000000", "1::"],
  ["eight groups", "1:2:3:4:5:6:7:8", "00010002000300040005000600070008", "1:2:3:4:5:6:7:8"],
  ["upper case", "FE80::ABCD", "fe80000000000000000000000000abcd", "fe80::abcd"],
  ["zeros in front", "2001:0db8:0:0:0:0:0:0001", "20010db8000000000000000000000001", "2001:db8::1"],
  ["one zero group stays", "1:0:3:4:5:6:7:8", "00010000000300040005000600070008", "1:0:3:4:5:6:7:8"],
  [":: for one group", "1::3:4:5:6:7:8", "00010000000300040005000600070008", "1:0:3:4:5:6:7:8"],
  [":: for the first group", "::2:3:4:5:6:7:8", "00000002000300040005000600070008", "0:2:3:4:5:6:7:8"],
  [":: for the last group", "1:2:3:4:5:6:7::", "00010002000300040005000600070000", "1:2:3:4:5:6:7:0"],
  ["the longest run", "1:0:0:4:0:0:0:8", "00010000000000040000000000000008", "1:0:0:4::8"],
  ["the first of two runs", "1:0:0:4:5:0:0:8", "00010000000000040005000000000008", "1::4:5:0:0:8"],
  ["IPv4 at the end", "64:ff9b::192.0.2.1", "0064ff9b0000000000000000c0000201", "64:ff9b::c000:201"],
  ["six groups and IPv4", "1:2:3:4:5:6:192.0.2.1", "000100020003000400050006c0000201", "1:2:3:4:5:6:c000:201"],
  ["IPv4-mapped", "::ffff:192.0.2.1", "00000000000000000000ffffc0000201", "192.0.2.1"],
  ["IPv4-mapped in hex", "0:0:0:0:0:FFFF:c000:201", "00000000000000000000ffffc0000201", "192.0.2.1"],
  ["IPv4-compatible is not mapped", "::192.0.2.1", "000000000000000000000000c0000201", "::c000:201"],
];
for (const [name, text, hex, canonical] of valid) {
  test(`an address is read and written: ${name}: ${text}`, () => {
    const octets = parseIpAddress(text);
    assert.equal(hexOf(octets), hex);
    assert.equal(formatIpAddress(Buffer.from(hex, "hex")), canonical);
  });
}

const invalid: [name: string, text: string][] = [
  ["nothing", ""],
  ["a name", "localhost"],
  ["three numbers", "192.0.2"],
  ["five numbers", "192.0.2.1.1"],
  ["a number too high", "192.0.2.256"],
  ["a leading zero", "192.0.2.01"],
  ["two zeros", "192.0.2.00"],
  ["an empty number", "192..2.1"],
  ["a dot behind", "192.0.2.1."],
  ["a hexadecimal number", "0xc0.0.2.1"],
  ["a sign", "+192.0.2.1"],
  ["a blank", "192.0.2.1 "],
  ["a line end", "192.0.2.1\n"],
  ["digits that are not ASCII", "١.0.2.1"],
  ["one colon", ":"],
  ["three colons", ":::"],
  ["seven groups", "1:2:3:4:5:6:7"],
  ["nine groups", "1:2:3:4:5:6:7:8:9"],
  [":: for nothing", "1:2:3:4::5:6:7:8"],
  ["two ::", "1::2::3"],
  ["one colon in front", ":1:2:3:4:5:6:7"],
  ["one colon behind", "1:2:3:4:5:6:7:"],
  ["five digits", "::12345"],
  ["not hex", "::g"],
  ["IPv4 in the middle", "::192.0.2.1:1"],
  ["IPv4 before ::", "192.0.2.1::"],
  ["IPv4 as ninth group", "1:2:3:4:5:6:7:192.0.2.1"],
  ["IPv4 of three numbers", "::192.0.2"],
  ["a zone", "fe80::1%eth0"],
  ["brackets", "[::1]"],
  ["a prefix length", "::1/64"],
];
for (const [name, text] of invalid) {
  test(`no address: ${name}: ${JSON.stringify(text)}`, () => assert.equal(parseIpAddress(text), undefined));
}

const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
// Half of the groups are zero: runs of them are what the short form is about.
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const piece = fc.constantFrom("0", "1", "25", "255", "256", "a", "FFFF", "ffff", ".", ".", ":", ":", "::", "g", "%");
const soup = fc.array(piece, { maxLength: 18 }).map((parts) => parts.join(""));
// Most soups fail early; text that is an address, or a character away from one, does not.
const damaged = fc
  .tuple(fc.oneof(ipv4, ipv6).map(formatIpAddress), fc.nat(45), fc.nat(2), fc.oneof(fc.constant(""), piece))
  .map(([text, at, length, other]) => text.slice(0, at) + other + text.slice(at + length));
const addressLike = fc.oneof(soup, damaged, fc.ipV4(), fc.ipV6());

test("what is written is read as it was", () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (octets) => {
      const text = formatIpAddress(octets);
      assert.equal(hexOf(parseIpAddress(text)), hexOf(unmapIpv4(octets)));
      if (octets.length === 16) assert.equal(hexOf(mapIpv4(unmapIpv4(octets))), hexOf(octets));
    }),
  );
});

test("the short form is that of the URL standard, but for IPv4-mapped addresses", () => {
  fc.assert(
    fc.property(ipv6, (octets) => {
      const long = Array.from({ length: 8 }, (_, at) =>
        Buffer.from(octets)
          .readUInt16BE(2 * at)
          .toString(16),
      ).join(":");
      if (unmapIpv4(octets) === octets) {
        assert.equal(`[${formatIpAddress(octets)}]`, new URL(`http://[${long}]/`).hostname);
      }
    }),
  );
});

test("an address is what the system takes for one", () => {
  fc.assert(
    fc.property(addressLike, (text) => {
      if (text.includes("%")) return;
      assert.equal(parseIpv4(text) !== undefined, isIP(text) === 4);
      assert.equal(parseIpv6(text) !== undefined, isIP(text) === 6);
    }),
    { numRuns: 3000 },
  );
});

const endsOfIpv4 = ["", "0", ".0", "0.0", ".0.0", "0.0.0", ".0.0.0", "0.0.0.0"];
const endsOfIpv6 = [
  ...endsOfIpv4,
  ...["", "0", ":", "::", ":0"].flatMap((start) => Array.from({ length: 8 }, (_, count) => start + ":0".repeat(count))),
];

test("what begins an address can be completed, and nothing else can", () => {
  fc.assert(
    fc.property(addressLike, (text) => {
      for (let end = 0; end <= text.length; end++) {
        const start = text.slice(0, end);
        const isIpv4Start = endsOfIpv4.some((rest) => parseIpv4(start + rest) !== undefined);
        const isIpv6Start = endsOfIpv6.some((rest) => parseIpv6(start + rest) !== undefined);
        assert.equal(beginsIpv4(start), isIpv4Start, start);
        assert.equal(beginsIpv6(start), isIpv6Start, start);
      }
    }),
    { numRuns: 1000 },
  );
});
