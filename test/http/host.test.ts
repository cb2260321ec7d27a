import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Host, isHostDirectoryName, parseHost } from "../../src/http/host.ts";

const host = (name: string, port?: number): Host => ({ name, port });

const valid: [name: string, text: string, want: Host][] = [
  ["a name", "example.com", host("example.com")],
  ["a name with port", "example.com:8080", host("example.com", 8080)],
  ["upper case is lowered", "EXAMPLE.com:80", host("example.com", 80)],
  ["an empty port is no port", "host:", host("host")],
  ["port 0", "host:0", host("host", 0)],
  ["the last port", "host:65535", host("host", 65535)],
  ["zeros in front of a port", "host:00080", host("host", 80)],
  ["one final dot is dropped", "example.com.", host("example.com")],
  ["one final dot is dropped before a port", "example.com.:80", host("example.com", 80)],
  ["of two final dots one stays", "example.com..", host("example.com.")],
  ["an underscore", "my_host", host("my_host")],
  ["sub-delims", "a!$&'()*+,;=b~", host("a!$&'()*+,;=b~")],
  ["percent-encoding is kept and lowered", "ex%41mple%2F", host("ex%41mple%2f")],
  ["IPv4", "127.0.0.1:80", host("127.0.0.1", 80)],
  ["a name that looks like IPv4", "999.1.1.1", host("999.1.1.1")],
  ["IPv6 with port", "[::1]:80", host("[::1]", 80)],
  ["IPv6 in upper case", "[FE80::A]", host("[fe80::a]")],
  ["IPv6, all groups", "[1:2:3:4:5:6:7:8]", host("[1:2:3:4:5:6:7:8]")],
  ["IPv6, no group at all", "[::]", host("[::]")],
  ["IPv6, :: stands for one group in front", "[::2:3:4:5:6:7:8]", host("[::2:3:4:5:6:7:8]")],
  ["IPv6, :: stands for one group at the end", "[1:2:3:4:5:6:7::]", host("[1:2:3:4:5:6:7::]")],
  ["IPv6 that ends in IPv4", "[::ffff:192.0.2.1]", host("[::ffff:192.0.2.1]")],
  ["IPv6, six groups and IPv4", "[1:2:3:4:5:6:192.0.2.1]", host("[1:2:3:4:5:6:192.0.2.1]")],
];
for (const [name, text, want] of valid) {
  test(`parseHost takes ${name}: ${text}`, () => assert.deepEqual(parseHost(text), want));
}

const invalid: [name: string, text: string][] = [
  ["nothing", ""],
  ["a port alone", ":80"],
  ["a dot alone", "."],
  ["a dot and a port", ".:80"],
  ["userinfo", "user@host"],
  ["userinfo with password", "user:secret@host"],
  ["a path", "host/path"],
  ["a query", "host?query"],
  ["a fragment", "host#fragment"],
  ["a blank within", "my host"],
  ["a blank in front", " host"],
  ["a blank behind", "host "],
  ["a tab", "host\t"],
  ["a line end behind", "host\n"],
  ["NUL", "host\0"],
  ["a double quote", '"host"'],
  ["less-than", "<host"],
  ["a backslash", "host\\evil"],
  ["a byte over 0x7F", "h\u00f6st"],
  ["a percent sign without hex digits", "%zz"],
  ["a percent sign at the end", "host%"],
  ["a percent sign and one digit", "host%2"],
  ["a list of hosts", "one, two"],
  ["a port with a sign", "host:+80"],
  ["a negative port", "host:-80"],
  ["a port with letters", "host:80a"],
  ["a hexadecimal port", "host:0x50"],
  ["a port too high", "host:65536"],
  ["a port of many digits", `host:${"9".repeat(400)}`],
  ["two ports", "host:80:80"],
  ["IPv6 without brackets", "::1"],
  ["IPv6 without brackets, with port", "fe80::1:80"],
  ["empty brackets", "[]"],
  ["brackets not closed", "[::1"],
  ["brackets not opened", "::1]"],
  ["text in front of brackets", "a[::1]"],
  ["text behind brackets", "[::1]a"],
  ["a dot behind brackets", "[::1]."],
  ["brackets around a name", "[localhost]"],
  ["brackets around IPv4", "[127.0.0.1]"],
  ["brackets in brackets", "[[::1]]"],
  ["IPv6 of seven groups", "[1:2:3:4:5:6:7]"],
  ["IPv6 of nine groups", "[1:2:3:4:5:6:7:8:9]"],
  ["IPv6 whose :: stands for nothing", "[1:2:3:4::5:6:7:8]"],
  ["IPv6 with two ::", "[1::2::3]"],
  ["IPv6 with :::", "[1:::2]"],
  ["IPv6 with one colon in front", "[:1:2:3:4:5:6:7]"],
  ["IPv6 with a group of five digits", "[::12345]"],
  ["IPv6 with a group that is not hex", "[::g]"],
  ["IPv6 with IPv4 in the middle", "[::192.0.2.1:1]"],
  ["IPv6 with IPv4 before ::", "[192.0.2.1::]"],
  ["IPv6 with an octet too high", "[::192.0.2.256]"],
  ["IPv6 with zeros in front of an octet", "[::192.0.2.01]"],
  ["IPv6 with three octets", "[::192.0.2]"],
  ["IPv6 with IPv4 as ninth group", "[1:2:3:4:5:6:7:192.0.2.1]"],
  ["IPv6 with a zone", "[fe80::1%25eth0]"],
  ["an address of the future", "[v1.fe80]"],
];
for (const [name, text] of invalid) {
  test(`parseHost refuses ${name}: ${JSON.stringify(text).slice(0, 40)}`, () => {
    assert.equal(parseHost(text), undefined);
  });
}

test("parseHost never throws, and what it gives it takes again", () => {
  const letters = fc.constantFrom(
    "a",
    "B",
    "1",
    ".",
    ":",
    "[",
    "]",
    "%",
    "::",
    "%41",
    "@",
    "/",
    " ",
    "_",
    "f",
    "\0",
    "é",
  );
  const hostLike = fc.oneof(
    fc.string(),
    fc.array(letters, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(hostLike, (text) => {
      const parsed = parseHost(text);
      if (parsed === undefined) return;
      assert.notEqual(parsed.name, "");
      assert.equal(parsed.name, parsed.name.toLowerCase());
      const again = `${parsed.name}${parsed.name.endsWith(".") ? "." : ""}:${parsed.port ?? ""}`;
      assert.deepEqual(parseHost(again), parsed);
    }),
  );
});

test("parseHost takes every address the system takes", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) =>
      assert.deepEqual(parseHost(`[${address}]`), host(`[${address.toLowerCase()}]`)),
    ),
  );
  fc.assert(fc.property(fc.ipV4(), (address) => assert.deepEqual(parseHost(address), host(address))));
});

const directoryNames: [name: string, text: string, want: boolean][] = [
  ["a name", "example.com", true],
  ["an underscore and a hyphen", "-my_host-", true],
  ["an IPv6 address", "[::1]", true],
  ["a name of 253 bytes", "a".repeat(253), true],
  ["a name of 254 bytes", "a".repeat(254), false],
  ["nothing", "", false],
  ["a dot", ".", false],
  ["two dots", "..", false],
  ["a leading dot", ".git", false],
  ["dots within", "a..b", true],
  ["a slash", "a/b", false],
  ["a backslash", "a\\b", false],
  ["a percent sign", "a%2fb", false],
  ["NUL", "a\0", false],
  ["a line end behind", "a\n", false],
  ["a blank", "a b", false],
  ["sub-delims", "a*b", false],
  ["a letter that is not ASCII", "h\u00f6st", false],
];
for (const [name, text, want] of directoryNames) {
  test(`isHostDirectoryName: ${name}`, () => assert.equal(isHostDirectoryName(text), want));
}
