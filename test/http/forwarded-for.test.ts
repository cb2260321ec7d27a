import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIpAddress } from "../../src/base/ip-address.ts";
import { clientOf } from "../../src/http/forwarded-for.ts";
import { type FieldLine, fakeRequestFields } from "../support/request-head.ts";

/** The proxies of this house. */
const isTrusted = (address: string) => address.startsWith("10.") || address.startsWith("fd00:") || address === "unix";

function clientFrom(address: string, ...lines: readonly string[]): string {
  const fields = fakeRequestFields(lines.map((line) => ["X-Forwarded-For", line]));
  return clientOf({ address, port: 54321 }, fields, isTrusted).address;
}

const cases: [name: string, peer: string, lines: string[], want: string][] = [
  ["no field", "10.0.0.1", [], "10.0.0.1"],
  ["one address", "10.0.0.1", ["192.0.2.1"], "192.0.2.1"],
  ["a peer that is not trusted", "198.51.100.9", ["192.0.2.1"], "198.51.100.9"],
  ["an unknown peer", "unknown", ["192.0.2.1"], "unknown"],
  ["a peer on a Unix socket", "unix", ["192.0.2.1"], "192.0.2.1"],
  ["a trusted peer in IPv4-mapped form", "::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"],
  ["a peer in IPv4-mapped form and no field", "::ffff:192.0.2.9", [], "192.0.2.9"],
  ["a link-local peer keeps its zone", "fe80::1%eth0", ["192.0.2.1"], "fe80::1%eth0"],
  ["the last address counts, those before it are invented", "10.0.0.1", ["1.1.1.1, 192.0.2.1"], "192.0.2.1"],
  ["trusted proxies are passed over", "10.0.0.1", ["192.0.2.1, 10.0.0.3, 10.0.0.2"], "192.0.2.1"],
  ["an invented proxy before the client", "10.0.0.1", ["10.9.9.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"],
  ["all trusted: the first", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"],
  ["several lines are one list", "10.0.0.1", ["1.1.1.1", "192.0.2.1", "10.0.0.2"], "192.0.2.1"],
  ["blanks and tabs, or none", "10.0.0.1", ["192.0.2.1 ,\t10.0.0.3,10.0.0.2 "], "192.0.2.1"],
  ["empty members are no members", "10.0.0.1", [",192.0.2.1,, 10.0.0.2, ,"], "192.0.2.1"],
  ["an empty line", "10.0.0.1", [""], "10.0.0.1"],
  ["commas alone", "10.0.0.1", [",,"], "10.0.0.1"],
  ["a word", "10.0.0.1", ["unknown"], "10.0.0.1"],
  ["a word behind the client", "10.0.0.1", ["192.0.2.1, unknown"], "10.0.0.1"],
  ["a word behind the client, before a proxy", "10.0.0.1", ["192.0.2.1, _hidden, 10.0.0.2"], "10.0.0.2"],
  ["a word before the client is never reached", "10.0.0.1", ["<script>, 192.0.2.1"], "192.0.2.1"],
  ["nobody is made a client on a Unix socket", "10.0.0.1", ["192.0.2.1, unix"], "10.0.0.1"],
  ["an address that is none", "10.0.0.1", ["192.0.2.256"], "10.0.0.1"],
  ["zeros in front", "10.0.0.1", ["192.0.2.01"], "10.0.0.1"],
  ["a quoted address", "10.0.0.1", ['"192.0.2.1"'], "10.0.0.1"],
  ["NBSP is no blank", "10.0.0.1", ["192.0.2.1\u00a0"], "10.0.0.1"],
  ["IPv4 with a port", "10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"],
  ["IPv6", "10.0.0.1", ["2001:DB8:0:0::1"], "2001:db8::1"],
  ["IPv6 in brackets", "10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"],
  ["IPv6 in brackets with a port", "10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"],
  ["IPv6 with more groups than it may have", "10.0.0.1", ["1:2:3:4:5:6:7:8:4711"], "10.0.0.1"],
  ["IPv4-mapped is IPv4", "10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"],
  ["a trusted proxy in IPv4-mapped form", "10.0.0.1", ["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"],
  ["a trusted proxy in IPv6", "fd00::1", ["192.0.2.1, FD00::2"], "192.0.2.1"],
  ["IPv4 in brackets", "10.0.0.1", ["[192.0.2.1]"], "10.0.0.1"],
  ["a bracket not closed", "10.0.0.1", ["[::1"], "10.0.0.1"],
  ["a zone", "10.0.0.1", ["fe80::1%eth0"], "10.0.0.1"],
  ["a port without digits", "10.0.0.1", ["192.0.2.1:"], "10.0.0.1"],
  ["a port with letters", "10.0.0.1", ["192.0.2.1:http"], "10.0.0.1"],
];
for (const [name, peer, lines, want] of cases) {
  test(`clientOf: ${name}`, () => assert.equal(clientFrom(peer, ...lines), want));
}

const member = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.nat(255).map((last) => `10.0.0.${last}`),
  fc.constantFrom("", " ", "unknown", "unix", "[::1]:80", "[", "%", "1.2.3.4:5"),
  fc.string({ unit: "binary-ascii", maxLength: 6 }),
);
const anyLines = fc.array(
  fc.array(member, { maxLength: 5 }).map((members) => members.join(",")),
  { maxLength: 3 },
);

test("clientOf: whatever is in the field, the result is an address", () => {
  fc.assert(
    fc.property(anyLines, (lines) => assert.notEqual(parseIpAddress(clientFrom("10.0.0.1", ...lines)), undefined)),
  );
});

test("clientOf: nothing that stands before the client changes who it is", () => {
  fc.assert(
    fc.property(anyLines, fc.array(fc.nat(255), { maxLength: 4 }), (before, proxies) => {
      const after = ["192.0.2.1", ...proxies.map((last) => `10.0.0.${last}`)].join(", ");
      assert.equal(clientFrom("10.0.0.1", ...before, after), "192.0.2.1");
    }),
  );
});

test("clientOf: of who is not trusted the field is not read", () => {
  fc.assert(fc.property(anyLines, (lines) => assert.equal(clientFrom("192.0.2.9", ...lines), "192.0.2.9")));
});

const CLIENT = ["X-Forwarded-For", "192.0.2.1"] as const;
const said = (protocol: string): FieldLine => ["X-Forwarded-Proto", protocol];
const protocols: [name: string, peer: string, lines: FieldLine[], want: boolean][] = [
  ["nothing is said", "10.0.0.1", [CLIENT], false],
  ["https", "10.0.0.1", [CLIENT, said("https")], true],
  ["https, in another case", "10.0.0.1", [CLIENT, said("HTTPS")], true],
  ["http", "10.0.0.1", [CLIENT, said("http")], false],
  ["another word", "10.0.0.1", [CLIENT, said("on")], false],
  ["without an address", "10.0.0.1", [said("https")], true],
  ["on a Unix socket", "unix", [CLIENT, said("https")], true],
  ["by a peer that is not trusted", "198.51.100.9", [said("https")], false],
  [
    "by a peer that is not trusted, which names a trusted one",
    "198.51.100.9",
    [["X-Forwarded-For", "10.0.0.1"], said("https")],
    false,
  ],
  ["by the client, and by the proxy behind it", "10.0.0.1", [CLIENT, said("https, http")], false],
  ["by the client in a line of its own", "10.0.0.1", [CLIENT, said("https"), said("http")], false],
  ["by each of two proxies", "10.0.0.1", [["X-Forwarded-For", "192.0.2.1, 10.0.0.2"], said("https, http")], true],
  ["by the first of two proxies", "10.0.0.1", [["X-Forwarded-For", "192.0.2.1, 10.0.0.2"], said("https")], true],
  ["an empty value", "10.0.0.1", [CLIENT, said("")], false],
];
for (const [name, address, lines, want] of protocols) {
  test(`clientOf: whether the client uses TLS: ${name}`, () => {
    const { tls } = clientOf({ address, port: 54321 }, fakeRequestFields(lines), isTrusted);
    assert.deepEqual(tls, want ? {} : undefined);
  });
}

test("clientOf: TLS with us counts, and its certificate stays known", () => {
  const peer = { address: "10.0.0.1", port: 54321, tls: { subject: "CN=proxy" } };
  const client = clientOf(peer, fakeRequestFields([CLIENT, said("http")]), isTrusted);
  assert.deepEqual(client, { address: "192.0.2.1", port: 0, tls: { subject: "CN=proxy" } });
  assert.equal(clientOf(peer, fakeRequestFields([]), isTrusted), peer);
});
