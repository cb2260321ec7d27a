import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decideTlsOpening, refuseUnknownName } from "../../src/tls/tls-opening.ts";
import type { OpeningDecision } from "../../src/transport/opening.ts";

const TEXT = "This port speaks HTTPS: ask with https:// instead of http://.\n";
const plain = {
  kind: "refused",
  why: "plain HTTP on a TLS port",
  answer:
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    `Content-Length: 62\r\nConnection: close\r\n\r\n${TEXT}`,
} as const;
const garbage = { kind: "refused", why: "no TLS handshake", answer: "" } as const;

const cases: [name: string, bytes: string, want: ReturnType<typeof decideTlsOpening>][] = [
  ["the head of a handshake record", "\x16\x03\x01\x00\x05", { kind: "need-more" }],
  ["its first byte", "\x16", { kind: "need-more" }],
  [
    "a handshake record that is none of a client",
    "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
    { kind: "refused", why: "no ClientHello", answer: "\x15\x03\x03\x00\x02\x02\x0a" },
  ],
  ["GET", "GET / HTTP/1.1\r\n\r\n", plain],
  ["the first letter of a method", "O", plain],
  ["the last letter that begins one", "Z", plain],
  ["a method in small letters is none", "get /", garbage],
  ["a PROXY header that nobody has asked for", "PROXY TCP4 ", plain],
  ["version 2 of that", "\r\n\r\n\0", garbage],
  ["an alert record", "\x15\x03\x01\x00\x02\x02\x28", garbage],
  ["application data", "\x17\x03\x03", garbage],
  ["a ClientHello of SSL 2.0", "\x80\x2e\x01\x00\x02", garbage],
  ["an empty line", "\r\n", garbage],
  ["before A", "@", garbage],
  ["behind Z", "[", garbage],
  ["NUL", "\0", garbage],
];
for (const [name, bytes, want] of cases) {
  test(`decideTlsOpening: ${name}`, () => assert.deepEqual(decideTlsOpening(Buffer.from(bytes, "latin1")), want));
}

test("decideTlsOpening: the length it announces is that of the text", () => assert.equal(TEXT.length, 62));

test("decideTlsOpening: the first byte decides, but of a handshake", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      const decision = decideTlsOpening(bytes);
      if (bytes[0] !== 0x16) assert.deepEqual(decision, decideTlsOpening(bytes.subarray(0, 1)));
    }),
  );
});

const named = (serverName: string | undefined) => ({ kind: "open", consumed: 0, peer: undefined, serverName }) as const;
const more = { kind: "need-more" } as const;
const unknown = {
  kind: "refused",
  why: "no certificate for the SNI name",
  answer: "\x15\x03\x03\x00\x02\x02\x70",
} as const;
const names: [name: string, decision: OpeningDecision, want: OpeningDecision][] = [
  ["a name that is known", named("a.test"), named("a.test")],
  ["a name that is not", named("b.test"), unknown],
  ["a name that no certificate can have", named("a test"), unknown],
  ["no name", named(undefined), named(undefined)],
  ["not yet", more, more],
  ["no handshake", garbage, garbage],
];
for (const [name, decision, want] of names) {
  test(`refuseUnknownName: ${name}`, () =>
    assert.deepEqual(
      refuseUnknownName(decision, (each) => each === "a.test"),
      want,
    ));
}
