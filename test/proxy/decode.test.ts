import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import { encodeV1, encodeV2 } from "../../src/proxy/encode.ts";
import { feed } from "./feed.ts";

test("nothing is not enough", () => {
  assert.deepEqual(decodeProxyHeader(new Uint8Array(0)), { kind: "need-more" });
});

const client = { address: "192.0.2.1", port: 56324 };
const server = { address: "2001:db8::1", port: 443 };
const tlvs = { alpn: "h2", authority: "a.b", tls: { certificate: "none", verify: 0, version: "TLSv1.3" } } as const;

const whole = [
  encodeV1(client, client),
  encodeV1(server, server),
  encodeV1({ address: "unix", port: 0 }, server),
  encodeV2(client, client),
  encodeV2(server, server, tlvs),
  encodeV2(client, client, tlvs),
].map((bytes) => Buffer.from(bytes));

const words = [
  "PROXY ",
  "TCP4 ",
  "TCP6 ",
  "UNKNOWN",
  "1.2.3.4",
  " ",
  "::",
  "ffff",
  ":",
  "80",
  "\r\n",
  "\r",
  "\n",
  "0",
  "\xff",
];
const line = fc
  .array(fc.constantFrom(...words), { maxLength: 14 })
  .map((parts) => Buffer.from(parts.join(""), "latin1"));
const start = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const binary = fc
  .tuple(
    fc.constantFrom(0x20, 0x21),
    fc.constantFrom(0x00, 0x11, 0x21, 0x31),
    fc.nat(80),
    fc.uint8Array({ maxLength: 300 }),
  )
  .map(([command, family, length, rest]) => Buffer.concat([start, Buffer.from([command, family, 0, length]), rest]));
/** A header with one octet changed: most of its parts still fit. */
const damaged = fc.tuple(fc.constantFrom(...whole), fc.nat(), fc.nat(255)).map(([bytes, at, octet]) => {
  const changed = Buffer.from(bytes);
  changed[at % changed.length] = octet;
  return changed;
});
const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const input = fc.oneof(
  line,
  line.map((rest) => Buffer.concat([Buffer.from("PROXY "), rest])),
  binary,
  damaged,
  anything,
);

test("no bytes throw, and where they are cut changes nothing", () => {
  fc.assert(
    fc.property(input, fc.array(fc.nat()), fc.uint8Array(), (bytes, cutPoints, rest) => {
      const all = Buffer.concat([bytes, rest]);
      const places = [...cutPoints.map((point) => point % (all.length + 1)), all.length].sort((a, b) => a - b);
      const pieces = places.map((place, index) => all.subarray(places[index - 1] ?? 0, place));
      const want = decodeProxyHeader(all);
      assert.deepEqual(feed(pieces), want);
      assert.deepEqual(feed(Array.from(all, (_, at) => all.subarray(at, at + 1))), want);
    }),
    { numRuns: 2000 },
  );
});

test("what has been consumed is all that counts", () => {
  fc.assert(
    fc.property(input, (bytes) => {
      const decoding = decodeProxyHeader(bytes);
      if (decoding.kind !== "header") return;
      assert.ok(decoding.consumed <= bytes.length);
      assert.deepEqual(decodeProxyHeader(bytes.subarray(0, decoding.consumed)), decoding);
      assert.equal(decodeProxyHeader(bytes.subarray(0, decoding.consumed - 1)).kind, "need-more");
    }),
    { numRuns: 1000 },
  );
});

test("nobody is waited for beyond the longest header", () => {
  fc.assert(
    fc.property(input, (bytes) => {
      const isVersion1 = bytes[0] === 0x50;
      const all = Buffer.concat([bytes, Buffer.alloc(isVersion1 ? 107 : 4112, "x")]);
      assert.notEqual(decodeProxyHeader(all).kind, "need-more");
    }),
  );
});

test("a view into a larger buffer is read from its own start", () => {
  for (const bytes of whole) {
    const larger = Buffer.concat([Buffer.from("xyz"), bytes, Buffer.from("xyz")]);
    assert.deepEqual(decodeProxyHeader(larger.subarray(3, -3)), decodeProxyHeader(bytes));
  }
});
