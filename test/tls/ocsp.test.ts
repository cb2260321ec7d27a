import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { checkStaple } from "../../src/tls/ocsp.ts";
import { readPem } from "../../src/tls/pem.ts";
import { keyPath, readKey } from "../support/tls-client.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const LATE = Date.parse("2200-01-01T00:00:00Z");
const EARLY = Date.parse("2021-01-01T00:00:00Z");

const staple = (name: string) => Uint8Array.from(readFileSync(keyPath(`staples/${name}.ocsp`)));

function chainOf(name: string): readonly X509Certificate[] {
  const reading = readPem({ name, text: readKey(name) });
  assert.ok(reading.kind === "blocks");
  return reading.blocks.flatMap(({ label, text }) => (label === "CERTIFICATE" ? [new X509Certificate(text)] : []));
}

const P256 = chainOf("staples/p256.pem");
const [LEAF] = P256 as readonly [X509Certificate];
const GOOD = staple("p256.pem");

function whyNot(bytes: Uint8Array, chain = P256, now = NOW): string | undefined {
  const check = checkStaple(bytes, chain, now);
  return check.kind === "good" ? undefined : check.why;
}

function changed(bytes: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = octet;
  return copy;
}

/** With another last octet of the signature: that of the issuer is followed by its certificate. */
function withBrokenSignature(bytes: Uint8Array): Uint8Array {
  const certificates = Buffer.from(bytes).indexOf(P256[1]?.raw ?? Buffer.alloc(0));
  assert.ok(certificates > 20);
  return changed(bytes, certificates - 9, (bytes[certificates - 9] ?? 0) ^ 1);
}

const NO_RESPONSE = "is not an OCSP response in DER";
const UNSIGNED = "is not signed by the issuer of the certificate, or for it";
const TRY_LATER = Uint8Array.of(0x30, 3, 0x0a, 1, 3);

const cases: [name: string, bytes: Uint8Array, want: string | undefined, chain?: typeof P256, now?: number][] = [
  ["good", GOOD, undefined],
  ["good, for the RSA certificate of the same names", staple("rsa.pem"), undefined, chainOf("staples/rsa.pem")],
  ["good, with hashes of SHA-256", staple("p256.sha256"), undefined],
  ["good, signed by a responder that the issuer has named", staple("p256.delegated"), undefined],
  ["good, without the issuer in the chain", GOOD, undefined, [LEAF]],
  ["a broken signature that nobody here can check", withBrokenSignature(GOOD), undefined, [LEAF]],
  ["for the RSA certificate of the same names", staple("rsa.pem"), "is for another certificate"],
  ["for a certificate of another issuer", GOOD, "is for another certificate", chainOf("p256.pem")],
  ["revoked", staple("p256.revoked"), "says that the certificate is revoked"],
  ["unknown", staple("p256.unknown"), "says that the certificate is unknown"],
  ["a broken signature", withBrokenSignature(GOOD), UNSIGNED],
  ["signed by a certificate that is not for that", staple("p256.stranger"), UNSIGNED],
  ["an error of the responder", TRY_LATER, "is only an error of the responder: try later"],
  ["empty", new Uint8Array(0), NO_RESPONSE],
  ["text", Buffer.from("staple"), NO_RESPONSE],
  ["in PEM", Buffer.from(`-----BEGIN OCSP RESPONSE-----\n${Buffer.from(GOOD).toString("base64")}\n`), NO_RESPONSE],
  ["a certificate", LEAF.raw, NO_RESPONSE],
  ["with something behind it", Buffer.concat([GOOD, Buffer.alloc(1)]), NO_RESPONSE],
];
for (const [name, bytes, want, chain, now] of cases) {
  test(`checkStaple: ${name}`, () => assert.equal(whyNot(bytes, chain, now), want));
}

test("checkStaple: how long it is good, and not before and after", () => {
  const check = checkStaple(GOOD, P256, NOW);
  assert.ok(check.kind === "good" && check.until !== undefined);
  assert.equal(whyNot(GOOD, P256, check.until - 1), undefined);
  assert.equal(whyNot(GOOD, P256, check.until), `expired on ${new Date(check.until).toUTCString()}`);
  assert.match(whyNot(GOOD, P256, LATE) ?? "", /^expired on \w+, \d\d \w+ 21\d\d /);
  assert.match(whyNot(GOOD, P256, EARLY) ?? "", /^is not valid before \w+, \d\d \w+ 20\d\d /);
});

test("checkStaple: cut anywhere it is no response", () => {
  for (let end = 0; end < GOOD.length; end += 1) assert.equal(whyNot(GOOD.subarray(0, end)), NO_RESPONSE, `${end}`);
});

test("checkStaple: no octet can be changed in what is signed, and nothing throws", () => {
  const certificates = Buffer.from(GOOD).indexOf(P256[1]?.raw ?? Buffer.alloc(0));
  fc.assert(
    fc.property(fc.nat(certificates - 300), fc.nat(255), (at, octet) => {
      if (GOOD[at] === octet) return;
      assert.notEqual(whyNot(changed(GOOD, at, octet)), undefined);
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.equal(whyNot(bytes), NO_RESPONSE)));
});
