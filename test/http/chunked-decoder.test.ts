import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { ChunkedDecoder } from "../../src/http/chunked-decoder.ts";
import type { Refusal } from "../../src/http/exchange.ts";

/** What a decoder made of some input: `rest` is what it left to the next request. */
type Decoded =
  | { readonly kind: "more"; readonly data: string }
  | { readonly kind: "done"; readonly data: string; readonly rest: string }
  | { readonly kind: "reject"; readonly refusal: Refusal };

const MAX_BODY = 1000;

function decode(pieces: readonly Uint8Array[], maxBody = MAX_BODY): Decoded {
  const decoder = new ChunkedDecoder(bytes(maxBody));
  let data = "";
  for (const [index, piece] of pieces.entries()) {
    const outcome = decoder.push(piece, (view) => {
      assert.notEqual(view.length, 0);
      data += Buffer.from(view).toString("latin1");
    });
    if (outcome.kind === "reject") return outcome;
    if (outcome.kind === "more") continue;
    const rest = Buffer.concat([piece.subarray(outcome.consumed), ...pieces.slice(index + 1)]);
    return { kind: "done", data, rest: rest.toString("latin1") };
  }
  return { kind: "more", data };
}

/** The input whole, byte by byte, and cut in two at every point. */
function* cuts(input: Buffer): Generator<Buffer[]> {
  yield [input];
  yield Array.from(input, (_, at) => input.subarray(at, at + 1));
  for (let at = 0; at <= input.length; at++) yield [input.subarray(0, at), input.subarray(at)];
}

const done = (data: string, rest = ""): Decoded => ({ kind: "done", data, rest });
const more = (data: string): Decoded => ({ kind: "more", data });
const badChunk: Decoded = { kind: "reject", refusal: { status: 400, reason: "bad-chunk" } };
const tooLarge: Decoded = { kind: "reject", refusal: { status: 413, reason: "body-too-large" } };
const trailerTooLarge: Decoded = { kind: "reject", refusal: { status: 431, reason: "header-too-large" } };

const cases: [name: string, input: string, want: Decoded][] = [
  ["no data", "0\r\n\r\n", done("")],
  ["one chunk", "5\r\nhello\r\n0\r\n\r\n", done("hello")],
  ["two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", done("hello world")],
  ["the next request is left alone", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", done("a", "GET / HTTP/1.1\r\n")],
  [
    "hex digits in both cases",
    `a\r\n${"x".repeat(10)}\r\nA\r\n${"y".repeat(10)}\r\n0\r\n\r\n`,
    done("x".repeat(10) + "y".repeat(10)),
  ],
  ["CR LF and NUL are data", "4\r\n\r\n\0\xff\r\n0\r\n\r\n", done("\r\n\0\xff")],
  ["data that looks like the end", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", done("0\r\n\r\n")],
  ["16 digits", "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", done("a")],
  ["an extension", '5;name=value;other="quoted, \\" \t text"\r\nhello\r\n0;last\r\n\r\n', done("hello")],
  ["extensions with a name alone", "1;a;b\r\na\r\n0;c\r\n\r\n", done("a")],
  ["blanks around the parts of an extension", "1; \ta \t=\t b ;c ; d\r\na\r\n0\r\n\r\n", done("a")],
  ["a quoted value of nothing", '1;a=""\r\na\r\n0\r\n\r\n', done("a")],
  ["quoted semicolons, quotes and bytes over 0x7F", '1;a=";=\\"\\\\\xff\\\xff";b\r\na\r\n0\r\n\r\n', done("a")],
  ["trailers are dropped", "1\r\na\r\n0\r\nContent-Length: 9\r\nX: \tb\xff \r\nEmpty:\r\n\r\nrest", done("a", "rest")],
  ["exactly the limit", `3e8\r\n${"x".repeat(1000)}\r\n0\r\n\r\n`, done("x".repeat(1000))],

  ["nothing yet", "", more("")],
  ["cut in the size", "5", more("")],
  ["cut in the data", "5\r\nhel", more("hel")],
  ["cut before the last line end", "5\r\nhello\r\n0\r\n\r", more("hello")],
  ["cut in a trailer", "0\r\nName: val", more("")],

  ["no size", "\r\n", badChunk],
  ["no size before an extension", ";a\r\n", badChunk],
  ["a blank before the size", " 5\r\nhello\r\n", badChunk],
  ["a blank after the size", "5 \r\nhello\r\n", badChunk],
  ["a blank after the size, before an extension", "5 ;a\r\nhello\r\n", badChunk],
  ["a tab after the size", "5\t\r\nhello\r\n", badChunk],
  ["a plus sign", "+5\r\nhello\r\n", badChunk],
  ["a minus sign", "-5\r\nhello\r\n", badChunk],
  ["0x", "0x5\r\nhello\r\n", badChunk],
  ["an underscore", "1_0\r\n", badChunk],
  ["a letter that is not hex", "5g\r\nhello\r\n", badChunk],
  ["the characters beside the digits and letters", ":\r\n", badChunk],
  ["a byte over 0x7F", "\xb2\r\n", badChunk],
  ["17 digits", "00000000000000001\r\na\r\n", badChunk],
  ["17 digits of a size too large", `${"f".repeat(17)}\r\n`, badChunk],
  ["the size line ends in LF alone", "5\nhello\r\n0\r\n\r\n", badChunk],
  ["the size line ends in CR alone", "5\rhello\r\n", badChunk],
  ["the size line ends in CR CR LF", "5\r\r\nhello\r\n", badChunk],
  ["an extension ends in LF alone", "5;a\nhello\r\n0\r\n\r\n", badChunk],
  ["CR in an extension", "5;a\rb\r\nhello\r\n", badChunk],
  ["NUL in an extension", "5;a\0\r\nhello\r\n", badChunk],
  ["DEL in an extension", "5;a\x7f\r\nhello\r\n", badChunk],
  ["an extension without name", "3;\r\nabc\r\n", badChunk],
  ["an extension of a blank", "3; \r\nabc\r\n", badChunk],
  ["a second semicolon", "3;;\r\nabc\r\n", badChunk],
  ["a second semicolon after a name", "3;a;\r\nabc\r\n", badChunk],
  ["an extension that begins with =", "3;=x\r\nabc\r\n", badChunk],
  ["an extension without value after =", "3;a=\r\nabc\r\n", badChunk],
  ["an extension with a blank for its value", "3;a= \r\nabc\r\n", badChunk],
  ["an extension with ; for its value", "3;a=;b\r\nabc\r\n", badChunk],
  ["an extension with two =", "3;a=b=c\r\nabc\r\n", badChunk],
  ["an extension whose name is no token", "3;bad[=x\r\nabc\r\n", badChunk],
  ["an extension whose value is no token", "3;a=b[\r\nabc\r\n", badChunk],
  ["an extension with a byte over 0x7F in its name", "3;\xe4\r\nabc\r\n", badChunk],
  ["an extension of two words", "3;a b\r\nabc\r\n", badChunk],
  ["an extension whose value has two words", "3;a=b c\r\nabc\r\n", badChunk],
  ["a blank at the end of an extension", "3;a \r\nabc\r\n", badChunk],
  ["a blank at the end of a value", "3;a=b \r\nabc\r\n", badChunk],
  ["a quoted name", '3;"a"\r\nabc\r\n', badChunk],
  ["a quote that is not closed", '3;a="b\r\nabc\r\n', badChunk],
  ["a quote that is closed by an escaped quote", '3;a="b\\"\r\nabc\r\n', badChunk],
  ["a quote within a token", '3;a=b"c"\r\nabc\r\n', badChunk],
  ["text after a closing quote", '3;a="b"c\r\nabc\r\n', badChunk],
  ["an escaped CR", '3;a="\\\r\n"\r\nabc\r\n', badChunk],
  ["an escaped NUL", '3;a="\\\0"\r\nabc\r\n', badChunk],
  ["data longer than its size", "4\r\nhello\r\n", badChunk],
  ["data followed by LF alone", "5\r\nhello\n0\r\n\r\n", badChunk],
  ["data followed by CR alone", "5\r\nhello\r0\r\n\r\n", badChunk],
  ["data followed by other two bytes", "5\r\nhelloXY0\r\n\r\n", badChunk],
  ["the last line ends in LF alone", "0\r\n\n", badChunk],
  ["the last line ends in CR alone", "0\r\n\rX", badChunk],
  ["a trailer without colon", "0\r\nName\r\n\r\n", badChunk],
  ["a trailer without name", "0\r\n: value\r\n\r\n", badChunk],
  ["a blank before the colon of a trailer", "0\r\nName : value\r\n\r\n", badChunk],
  ["a trailer that begins with a blank", "0\r\n Name: value\r\n\r\n", badChunk],
  ["a trailer continued on the next line", "0\r\nName: value\r\n more\r\n\r\n", badChunk],
  ["a trailer that ends in LF alone", "0\r\nName: value\n\r\n", badChunk],
  ["CR in a trailer", "0\r\nName: va\rlue\r\n\r\n", badChunk],
  ["NUL in a trailer", "0\r\nName: va\0lue\r\n\r\n", badChunk],

  ["a size over the limit", "3e9\r\n", tooLarge],
  ["a size over the limit, before its extension", "3e9;", tooLarge],
  ["the sum of the sizes is over the limit", `3e8\r\n${"x".repeat(1000)}\r\n1\r\n`, tooLarge],
  ["2^53", "20000000000000\r\n", tooLarge],
  ["2^64 - 1", "ffffffffffffffff\r\n", tooLarge],
];
for (const [name, input, want] of cases) {
  test(`ChunkedDecoder: ${name}`, () => {
    for (const pieces of cuts(Buffer.from(input, "latin1"))) assert.deepEqual(decode(pieces), want);
  });
}

test("ChunkedDecoder: sizes stay below 2^53 whatever the limit", () => {
  assert.deepEqual(decode([Buffer.from("20000000000000\r\n")], Number.POSITIVE_INFINITY), tooLarge);
  assert.deepEqual(decode([Buffer.from("1fffffffffffff\r\n")], Number.POSITIVE_INFINITY), more(""));
  assert.deepEqual(decode([Buffer.from("1\r\na\r\n1fffffffffffff\r\n")], Number.POSITIVE_INFINITY), tooLarge);
});

const end = "0\r\n\r\n";
const tinyChunk = `1;${"e".repeat(511)}\r\na\r\n`;
const line = (size: number) => `X: ${"v".repeat(size - 5)}\r\n`;

const bounds: [name: string, input: string, want: Decoded][] = [
  ["one extension of 16 KiB", `1;${"e".repeat(16384)}\r\na\r\n${end}`, done("a")],
  ["one longer extension", `1;${"e".repeat(16385)}\r\na\r\n${end}`, badChunk],
  ["an extension without end", `1;${"e".repeat(20000)}`, badChunk],
  ["tiny chunks with extensions, within the sum", tinyChunk.repeat(32) + end, done("a".repeat(32))],
  ["tiny chunks with extensions, over the sum", tinyChunk.repeat(33) + end, badChunk],
  ["many tiny chunks without extensions", "1\r\na\r\n".repeat(1000) + end, done("a".repeat(1000))],
  ["trailers within 16 KiB", `0\r\n${line(1024).repeat(15)}\r\n`, done("")],
  ["trailers over 16 KiB", `0\r\n${line(1024).repeat(16)}\r\n`, trailerTooLarge],
  ["a trailer without end", `0\r\nX${"x".repeat(20000)}`, trailerTooLarge],
];
for (const [name, input, want] of bounds) {
  test(`ChunkedDecoder bounds: ${name}`, () => {
    const whole = Buffer.from(input);
    assert.deepEqual(decode([whole]), want);
    assert.deepEqual(decode(Array.from(whole, (_, at) => whole.subarray(at, at + 1))), want);
  });
}

test("ChunkedDecoder hands out views, not copies", () => {
  const input = Buffer.from("5\r\nhello\r\n0\r\n\r\n");
  const views: Uint8Array[] = [];
  new ChunkedDecoder(bytes(MAX_BODY)).push(input, (view) => views.push(view));
  assert.deepEqual(
    views.map((view) => [view.buffer === input.buffer, view.byteOffset - input.byteOffset]),
    [[true, 3]],
  );
});

test("ChunkedDecoder throws when it is used after the end or a fault", () => {
  for (const input of ["0\r\n\r\n", "x"]) {
    const decoder = new ChunkedDecoder(bytes(MAX_BODY));
    decoder.push(Buffer.from(input), () => {});
    assert.throws(() => decoder.push(Buffer.from("0"), () => {}), /beyond its end/);
  }
});

/** Cuts `input` at the places that `cutPoints` fall on. */
function cutAt(input: Buffer, cutPoints: readonly number[]): Buffer[] {
  const places = cutPoints.map((point) => point % (input.length + 1)).sort((a, b) => a - b);
  return [...places, input.length].map((place, index) => input.subarray(places[index - 1] ?? 0, place));
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
const quoted = fc.stringMatching(/^"([\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff]){0,8}"$/);
const blanks = fc.stringMatching(/^[ \t]{0,2}$/);
const value = fc.tuple(blanks, blanks, fc.oneof(token, quoted)).map(([a, b, text]) => `${a}=${b}${text}`);
const oneExtension = fc
  .tuple(blanks, token, fc.option(value, { nil: "" }))
  .map(([blank, name, assigned]) => `;${blank}${name}${assigned}`);
const extension = fc.oneof(
  fc.constant(""),
  fc.array(oneExtension, { maxLength: 3 }).map((all) => all.join("")),
);
const chunk = fc.record({ data: fc.uint8Array({ minLength: 1, maxLength: 40 }), zeros: fc.nat(5), extension });
const encode = (data: Uint8Array, zeros: number, extensionText: string) =>
  Buffer.concat([
    Buffer.from(`${"0".repeat(zeros)}${data.length.toString(16)}${extensionText}\r\n`, "latin1"),
    data,
    Buffer.from("\r\n"),
  ]);

test("ChunkedDecoder gives back what was encoded, however it is chunked and cut", () => {
  const trailers = fc.constantFrom("", "A: b\r\n", "A: b\r\nC:\r\n");
  fc.assert(
    fc.property(fc.array(chunk), trailers, fc.uint8Array(), fc.array(fc.nat()), (chunks, trailer, rest, cutPoints) => {
      const body = Buffer.concat(chunks.map((one) => one.data));
      const encoded = chunks.map((one) => encode(one.data, one.zeros, one.extension));
      const input = Buffer.concat([...encoded, Buffer.from(`0\r\n${trailer}\r\n`), rest]);
      assert.deepEqual(
        decode(cutAt(input, cutPoints), body.length),
        done(body.toString("latin1"), Buffer.from(rest).toString("latin1")),
      );
    }),
  );
});

// The grammar of RFC 9112 §7.1.1 as an expression, but for the blank before the first semicolon, which we reject.
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = '"(?:[\\t !#-[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const EXTENSIONS = new RegExp(`^(?:;[ \t]*${TOKEN}(?:[ \t]*=[ \t]*(?:${TOKEN}|${QUOTED}))?(?:[ \t]*(?=;))?)*$`);

test("ChunkedDecoder takes exactly the extensions of the grammar, however they are cut", () => {
  const octets = fc.constantFrom(";", ";", "=", '"', "\\", " ", "\t", "a", "b", "[", "\xff", "\x7f", "\0");
  const text = fc.oneof(
    fc.array(octets, { maxLength: 12 }).map((all) => all.join("")),
    fc.tuple(extension, fc.nat(), octets).map(([whole, at, octet]) => {
      const place = at % (whole.length + 1);
      return whole.slice(0, place) + octet + whole.slice(place);
    }),
  );
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 4 }), (written, cutPoints) => {
      const input = Buffer.from(`1;n${written}\r\nx\r\n0\r\n\r\n`, "latin1");
      const isInGrammar = EXTENSIONS.test(`;n${written}`);
      assert.deepEqual(decode(cutAt(input, cutPoints)), isInGrammar ? done("x") : badChunk);
    }),
    { numRuns: 1000 },
  );
});

test("ChunkedDecoder never throws, and does not care where arbitrary bytes are cut", () => {
  const pieces = fc.constantFrom("0", "1", "a", "\r\n", "\r", "\n", ";", ":", " ", "\r\n0\r\n\r\n", "fffff", "\xff");
  const soup = fc.array(pieces, { maxLength: 20 }).map((parts) => Buffer.from(parts.join(""), "latin1"));
  const input = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array)),
    soup,
  );
  fc.assert(
    fc.property(input, fc.array(fc.nat()), (whole, cutPoints) => {
      assert.deepEqual(decode(cutAt(whole, cutPoints)), decode([whole]));
    }),
    { numRuns: 1000 },
  );
});
