import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ErrorStatus } from "../../src/base/status.ts";
import { bytes } from "../../src/base/units.ts";
import {
  type BodyFraming,
  decideExpectation,
  decideFraming,
  type ExpectationDecision,
  type FramingDecision,
} from "../../src/http/framing.ts";
import type { Reason } from "../../src/http/reason.ts";
import { type FieldLine, fakeRequestHead } from "../support/request-head.ts";

const none: BodyFraming = { kind: "none" };
const chunked: BodyFraming = { kind: "chunked" };
const length = (count: number): BodyFraming => ({ kind: "length", length: bytes(count) });
const reject = (status: ErrorStatus, reason: Reason): FramingDecision => ({
  kind: "reject",
  refusal: { status, reason },
});
const badLength = reject(400, "bad-content-length");
const badCoding = reject(400, "bad-transfer-encoding");
const unknownCoding = reject(501, "bad-transfer-encoding");
const conflict = reject(400, "length-conflict");

const lengths: [name: string, values: string[], want: FramingDecision][] = [
  ["absent", [], none],
  ["zero", ["0"], length(0)],
  ["a number", ["1234"], length(1234)],
  ["zeros in front", ["007"], length(7)],
  ["many zeros in front", ["0".repeat(40) + 7], length(7)],
  ["2^53 - 1", ["9007199254740991"], length(Number.MAX_SAFE_INTEGER)],
  ["2^53", ["9007199254740992"], reject(413, "body-too-large")],
  ["2^53 + 1, which a double cannot hold", ["9007199254740993"], reject(413, "body-too-large")],
  ["2^64", ["18446744073709551616"], reject(413, "body-too-large")],
  ["400 digits", ["9".repeat(400)], reject(413, "body-too-large")],
  ["empty", [""], badLength],
  ["plus sign", ["+5"], badLength],
  ["minus sign", ["-5"], badLength],
  ["hexadecimal", ["0x5"], badLength],
  ["exponent", ["1e3"], badLength],
  ["fraction", ["5.0"], badLength],
  ["blank inside", ["1 2"], badLength],
  ["underscore", ["1_000"], badLength],
  ["quotes", ['"5"'], badLength],
  ["NBSP in front", ["\u00a05"], badLength],
  ["superscript digit", ["\u00b2"], badLength],
  ["line end behind", ["5\n"], badLength],
  ["a list of different values", ["5, 6"], badLength],
  ["a list of the same value", ["5, 5"], badLength],
  ["a list with an empty member", ["5,"], badLength],
  ["two lines of different values", ["5", "6"], badLength],
  ["two lines of the same value", ["5", "5"], badLength],
];
for (const [name, values, want] of lengths) {
  test(`decideFraming: Content-Length ${name}`, () => {
    const fields = values.map((value): FieldLine => ["Content-Length", value]);
    assert.deepEqual(decideFraming(fakeRequestHead({ method: "POST", fields })), want);
  });
}

const codings: [name: string, values: string[], want: FramingDecision][] = [
  ["chunked", ["chunked"], chunked],
  ["chunked in another case", ["Chunked"], chunked],
  ["identity", ["identity"], unknownCoding],
  ["a coding we do not know", ["gzip"], unknownCoding],
  ["a coding before chunked", ["gzip, chunked"], unknownCoding],
  ["identity before chunked, on two lines", ["identity", "chunked"], unknownCoding],
  ["xchunked", ["xchunked"], unknownCoding],
  ["chunkedx", ["chunkedx"], unknownCoding],
  ["chunked twice", ["chunked, chunked"], badCoding],
  ["chunked on two lines", ["chunked", "chunked"], badCoding],
  ["chunked not last", ["chunked, gzip"], badCoding],
  ["chunked, then identity", ["chunked, identity"], badCoding],
  ["empty", [""], badCoding],
  ["an empty member in front", [", chunked"], badCoding],
  ["an empty member behind", ["chunked,"], badCoding],
  ["a second line that is empty", ["chunked", ""], badCoding],
  ["a parameter", ["chunked;a=b"], badCoding],
  ["a parameter of another coding", ["gzip;q=1, chunked"], badCoding],
  ["quotes", ['"chunked"'], badCoding],
  ["VT in front", ["\vchunked"], badCoding],
  ["NBSP in front", ["\u00a0chunked"], badCoding],
  ["a blank inside", ["chun ked"], badCoding],
];
for (const [name, values, want] of codings) {
  const fields = values.map((value): FieldLine => ["Transfer-Encoding", value]);
  test(`decideFraming: Transfer-Encoding ${name}`, () => {
    assert.deepEqual(decideFraming(fakeRequestHead({ method: "POST", fields })), want);
  });
  test(`decideFraming: Transfer-Encoding ${name}, on HTTP/1.0`, () => {
    assert.deepEqual(decideFraming(fakeRequestHead({ method: "POST", version: "1.0", fields })), badCoding);
  });
  test(`decideFraming: Transfer-Encoding ${name}, with Content-Length`, () => {
    const both: FieldLine[] = [["content-length", "5"], ...fields];
    assert.deepEqual(decideFraming(fakeRequestHead({ method: "POST", fields: both })), conflict);
  });
}

test("decideFraming: a body is framed alike for every method", () => {
  const fields: FieldLine[] = [["Content-Length", "5"]];
  for (const method of ["GET", "HEAD", "OPTIONS", "DELETE"] as const) {
    assert.deepEqual(decideFraming(fakeRequestHead({ method, fields })), length(5));
  }
});

test("decideFraming takes a Content-Length only for what its digits say", () => {
  const text = fc.oneof(fc.string(), fc.nat().map(String), fc.stringMatching(/^[0-9+\-. exX_]{1,20}$/));
  fc.assert(
    fc.property(text, (value) => {
      const framing = decideFraming(fakeRequestHead({ fields: [["Content-Length", value]] }));
      if (framing.kind === "length") assert.equal(String(framing.length), value.replace(/^0+(?=.)/, ""));
      else assert.equal(framing.kind, "reject");
    }),
  );
});

const unknownExpectation = reject(417, "unknown-expectation");
const wait: ExpectationDecision = { kind: "continue" };

const expectations: [name: string, values: string[], framing: BodyFraming, want: unknown][] = [
  ["absent", [], length(5), none],
  ["100-continue with a length", ["100-continue"], length(5), wait],
  ["100-continue with a chunked body", ["100-continue"], chunked, wait],
  ["100-continue in another case", ["100-Continue"], chunked, wait],
  ["100-continue twice", ["100-continue", "100-continue"], chunked, wait],
  ["100-continue without a body is ignored", ["100-continue"], none, none],
  ["100-continue with a body of no bytes is ignored", ["100-continue"], length(0), none],
  ["something else", ["200-ok"], length(5), unknownExpectation],
  ["something else without a body", ["200-ok"], none, unknownExpectation],
  ["something else beside it", ["100-continue, tea"], length(5), unknownExpectation],
  ["a longer word", ["100-continued"], length(5), unknownExpectation],
  ["a parameter", ["100-continue;a=b"], length(5), unknownExpectation],
  ["empty", [""], length(5), unknownExpectation],
];
for (const [name, values, framing, want] of expectations) {
  const fields = values.map((value): FieldLine => ["Expect", value]);
  test(`decideExpectation: ${name}`, () => {
    assert.deepEqual(decideExpectation(fakeRequestHead({ method: "POST", fields }), framing), want);
  });
  test(`decideExpectation: ${name}, ignored on HTTP/1.0`, () => {
    const head = fakeRequestHead({ method: "POST", version: "1.0", fields });
    assert.deepEqual(decideExpectation(head, framing), none);
  });
}
