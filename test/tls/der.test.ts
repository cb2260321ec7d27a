import assert from "node:assert/strict";
import { test } from "node:test";
import { DerError, DerReader, formatObjectIdentifier, parseGeneralizedTime } from "../../src/tls/der.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("DerReader: values one after the other, and within each other", () => {
  const reader = new DerReader(hex("30 05 02 01 07 a0 00 04 00"));
  const inner = reader.enter();
  assert.deepEqual(inner.take(0x02).content, hex("07"));
  assert.equal(inner.takeIf(0xa1), undefined);
  assert.deepEqual(inner.takeIf(0xa0)?.whole, hex("a0 00"));
  assert.equal(inner.isAtEnd, true);
  assert.equal(reader.take().tag, 0x04);
  reader.end();
});

test("DerReader: a length of two octets", () => {
  const value = new DerReader(Buffer.concat([hex("04 82 01 00"), Buffer.alloc(256, 7)])).take(0x04);
  assert.deepEqual([value.content.length, value.whole.length], [256, 260]);
});

const broken: [name: string, bytes: string][] = [
  ["nothing", ""],
  ["another tag", "05 00"],
  ["no length", "30"],
  ["too short", "30 02 00"],
  ["an indefinite length", "30 80 00 00"],
  ["a length that fits one octet, in two", "30 81 01 00"],
  ["a length with a zero in front", `30 82 00 80 ${"00".repeat(128)}`],
  ["a length of five octets", "30 85 01 00 00 00 00"],
];
for (const [name, bytes] of broken) {
  test(`DerReader refuses ${name}`, () => assert.throws(() => new DerReader(hex(bytes)).take(0x30), DerError));
}

test("DerReader: something behind the last value", () => {
  const reader = new DerReader(hex("05 00 00"));
  reader.take();
  assert.throws(() => reader.end(), DerError);
});

const identifiers: [bytes: string, want: string][] = [
  ["2b 0e 03 02 1a", "1.3.14.3.2.26"],
  ["2a 86 48 86 f7 0d 01 01 0b", "1.2.840.113549.1.1.11"],
  ["60 86 48 01 65 03 04 02 01", "2.16.840.1.101.3.4.2.1"],
  ["88 37", "2.999"],
];
for (const [bytes, want] of identifiers) {
  test(`formatObjectIdentifier: ${want}`, () => assert.equal(formatObjectIdentifier(hex(bytes)), want));
}

test("parseGeneralizedTime: the one form that certificates have", () => {
  assert.equal(parseGeneralizedTime(Buffer.from("20260102030405Z")), Date.UTC(2026, 0, 2, 3, 4, 5));
  for (const text of [
    "",
    "20260102030405",
    "202601020304Z",
    "20260102030405.5Z",
    "20260102030405+0100",
    "20261302030405Z",
  ]) {
    assert.throws(() => parseGeneralizedTime(Buffer.from(text)), DerError, text);
  }
});
