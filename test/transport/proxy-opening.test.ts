import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PeerAddress } from "../../src/base/endpoint.ts";
import { encodeV1, encodeV2 } from "../../src/proxy/encode.ts";
import { decideProxiedTls, decideTlsOpening } from "../../src/tls/tls-opening.ts";
import type { OpeningDecision } from "../../src/transport/opening.ts";
import { claimedPeer, decideProxied } from "../../src/transport/proxy-opening.ts";

const client = { address: "192.0.2.1", port: 56324 };
const client6 = { address: "2001:db8::1", port: 56324 };
const server = { address: "198.51.100.7", port: 443 };
const unix = { address: "unix", port: 0 };
/** The least there is: version, random, no session, no cipher, no compression. */
const HELLO = Uint8Array.of(22, 3, 1, 0, 42, 1, 0, 0, 38, ...new Uint8Array(38));

const headers: [name: string, header: Uint8Array, peer: PeerAddress | undefined][] = [
  ["version 1", encodeV1(client, server), client],
  ["version 1 with IPv6", encodeV1(client6, server), client6],
  ["version 1, the proxy's own connection", encodeV1(unix, server), undefined],
  ["version 2", encodeV2(client, server), client],
  ["version 2 with IPv6 and TLVs", encodeV2(client6, server, { alpn: "http/1.1", authority: "a" }), client6],
  [
    "version 2 of a proxy that ends TLS",
    encodeV2(client, server, { tls: { certificate: "none", verify: 1 } }),
    { ...client, tls: {} },
  ],
  ["version 2, the proxy's own connection", encodeV2(unix, server), undefined],
];
for (const [name, header, peer] of headers) {
  test(`decideProxiedTls: ${name}: nothing is clear before the last byte of what is behind it`, () => {
    for (let end = 0; end <= header.length; end++) {
      // The header alone is a proxy's word: its client has sent nothing yet.
      const want = end === header.length ? { kind: "need-more", isSilent: true } : { kind: "need-more" };
      assert.deepEqual(decideProxiedTls(header.subarray(0, end)), want, `after ${end} bytes`);
    }
    for (let end = 1; end < HELLO.length; end++) {
      assert.deepEqual(decideProxiedTls(Buffer.concat([header, HELLO.subarray(0, end)])), { kind: "need-more" });
    }
    const whole = Buffer.concat([header, HELLO]);
    assert.deepEqual(decideProxiedTls(whole), {
      kind: "open",
      consumed: header.length,
      peer,
      serverName: undefined,
    });
  });
}

for (const [name, header, peer] of headers) {
  test(`decideProxied: ${name}: all is clear with its last byte, whatever comes behind it`, () => {
    for (let end = 0; end < header.length; end++) {
      assert.deepEqual(decideProxied(header.subarray(0, end)), { kind: "need-more" }, `after ${end} bytes`);
    }
    for (const behind of ["", "\0", "GET / HTTP/1.1\r\n", "PROXY UNKNOWN\r\n"]) {
      const bytes = Buffer.concat([header, Buffer.from(behind, "latin1")]);
      assert.deepEqual(decideProxied(bytes), { kind: "open", consumed: header.length, peer });
    }
  });
}

const withoutHeader: [name: string, text: string, why: string][] = [
  ["plain bytes", "GET / HTTP/1.1\r\n", "not a PROXY header"],
  ["a handshake", "\x16\x03\x01", "not a PROXY header"],
  ["a malformed header", "PROXY TCP4 localhost", "malformed v1 client address"],
];
for (const [name, text, why] of withoutHeader) {
  test(`decideProxied refuses ${name}, and says nothing to the client`, () => {
    assert.deepEqual(decideProxied(Buffer.from(text, "latin1")), { kind: "refused", why, answer: "" });
  });
}

const refusals: [name: string, text: string, want: OpeningDecision][] = [
  ["a handshake without a header", "\x16\x03\x01", { kind: "refused", why: "not a PROXY header", answer: "" }],
  ["plain HTTP without a header", "GET / HTTP/1.1\r\n", { kind: "refused", why: "not a PROXY header", answer: "" }],
  ["a malformed header", "PROXY TCP4 localhost", { kind: "refused", why: "malformed v1 client address", answer: "" }],
  ["garbage behind the header", "PROXY UNKNOWN\r\n\0", { kind: "refused", why: "no TLS handshake", answer: "" }],
  ["a second header", "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n", decideTlsOpening(Buffer.from("P"))],
  ["plain HTTP behind the header", "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n", decideTlsOpening(Buffer.from("G"))],
];
for (const [name, text, want] of refusals) {
  test(`decideProxiedTls refuses ${name}`, () => {
    assert.equal(want.kind, "refused");
    assert.deepEqual(decideProxiedTls(Buffer.from(text, "latin1")), want);
  });
}

for (const decide of [decideProxiedTls, decideProxied]) {
  test(`${decide.name}: no bytes throw, and what is decided stays decided`, () => assertSteady(decide));
}

function assertSteady(decide: (bytes: Uint8Array) => OpeningDecision): void {
  const piece = fc.oneof(
    fc.constantFrom(...headers.map(([, header]) => header)),
    fc.constantFrom("PROXY ", "UNKNOWN\r\n", "\x16", "GET ").map((text) => Buffer.from(text, "latin1")),
    fc.uint8Array({ maxLength: 20 }),
  );
  const input = fc.array(piece, { maxLength: 4 }).map((pieces) => Buffer.concat(pieces));
  fc.assert(
    fc.property(input, (bytes) => {
      let decision = decide(new Uint8Array(0));
      for (let end = 1; end <= bytes.length && decision.kind === "need-more"; end++) {
        decision = decide(bytes.subarray(0, end));
      }
      assert.deepEqual(decide(bytes), decision);
    }),
  );
}

test("claimedPeer: the client, where there is one", () => {
  assert.deepEqual(claimedPeer({ source: "proxied", client, server, usesTls: false }), client);
  assert.deepEqual(claimedPeer({ source: "proxied", client, server, usesTls: true }), { ...client, tls: {} });
  assert.equal(claimedPeer({ source: "local" }), undefined);
});
