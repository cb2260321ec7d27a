import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import {
  formatListenAddress,
  type ListenAddress,
  parseHostName,
  parseListenAddress,
} from "../../src/config/listen-address.ts";

const v4 = (address: string): ListenAddress => ({ kind: "ip", family: 4, address });
const v6 = (address: string): ListenAddress => ({ kind: "ip", family: 6, address });
const named = (name: string): ListenAddress => ({ kind: "name", name });

const cases: [name: string, text: string, want: ListenAddress | undefined][] = [
  ["every address", "*", { kind: "every" }],
  ["IPv4", "192.168.1.7", v4("192.168.1.7")],
  ["all of IPv4", "0.0.0.0", v4("0.0.0.0")],
  ["an IPv4 number too large", "192.168.1.256", undefined],
  ["three numbers", "127.0.1", undefined],
  ["IPv6", "::1", v6("::1")],
  ["IPv6 in brackets", "[2001:DB8::1]", v6("2001:db8::1")],
  ["IPv6 with a zone", "fe80::1%eth0", v6("fe80::1%eth0")],
  ["IPv6 with an empty zone", "fe80::1%", undefined],
  ["two gaps in IPv6", "1::2::3", undefined],
  ["a host name", "Intranet.example.org", named("intranet.example.org")],
  ["a name of one label", "localhost", named("localhost")],
  ["a name with a port", "localhost:8080", undefined],
  ["a URL", "http://localhost/", undefined],
  ["a blank", "local host", undefined],
  ["nothing", "", undefined],
  ["a Unix socket", "unix:/run/comanche.sock", { kind: "unix", path: absolutePath("/run/comanche.sock") }],
  ["a Unix socket with a relative path", "unix:run/comanche.sock", undefined],
  ["a Unix socket that is a folder", "unix:/run/", undefined],
  ["a Unix socket whose path is too long", `unix:/${"x".repeat(107)}`, undefined],
];
for (const [name, text, want] of cases) {
  test(`parseListenAddress: ${name}`, () => assert.deepEqual(parseListenAddress(text), want));
  if (want !== undefined) {
    test(`formatListenAddress: ${name}`, () => assert.deepEqual(parseListenAddress(formatListenAddress(want)), want));
  }
}

const hostNames: [name: string, text: string, want: string | undefined][] = [
  ["a name", "www.example.org", "www.example.org"],
  ["capitals", "WWW.Example.ORG", "www.example.org"],
  ["one dot at the end", "example.org.", "example.org"],
  ["two dots at the end", "example.org..", undefined],
  ["an underscore", "my_host", "my_host"],
  ["IPv4", "127.0.0.1", "127.0.0.1"],
  ["no IPv4", "127.0.0.999", undefined],
  ["IPv6 in brackets", "[::1]", "[::1]"],
  ["IPv6 without brackets", "::1", "[::1]"],
  ["brackets around a name", "[localhost]", undefined],
  ["a port", "localhost:80", undefined],
  ["a leading dot", ".hidden", undefined],
  ["climbing", "..", undefined],
  ["a slash", "a/b", undefined],
  ["other letters", "bücher.example", undefined],
  ["nothing", "", undefined],
  ["the longest", `${"a".repeat(63)}.`.repeat(3) + "a".repeat(61), `${"a".repeat(63)}.`.repeat(3) + "a".repeat(61)],
  ["too long", `${"a".repeat(63)}.`.repeat(4), undefined],
];
for (const [name, text, want] of hostNames) {
  test(`parseHostName: ${name}`, () => assert.equal(parseHostName(text), want));
}
