import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHostName } from "../../src/config/host-name.ts";

const cases: [name: string, text: string, want: string | undefined][] = [
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
for (const [name, text, want] of cases) {
  test(`parseHostName: ${name}`, () => assert.equal(parseHostName(text), want));
}
