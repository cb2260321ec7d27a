import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSending, matches, parseExpectation } from "./transcript-text.ts";

const sendings: [name: string, lines: string[], bytes: string][] = [
  ["each line ends in CR LF", ["GET / HTTP/1.1", ""], "GET / HTTP/1.1\r\n\r\n"],
  ["a backslash at the end leaves out the CR LF", ["ab\\", "c"], "abc\r\n"],
  ["two backslashes at the end are one backslash", ["a\\\\"], "a\\\r\n"],
  ["three are a backslash without CR LF", ["a\\\\\\"], "a\\"],
  ["escapes", ["\\r\\n\\t\\x00\\xfF\\\\\\"], "\r\n\t\0\xff\\"],
  ["repetition", ["{3*ab}\\"], "ababab"],
  ["repetition of an escape", ["{2*\\r\\n}\\"], "\r\n\r\n"],
  ["a captured value", ["{etag}"], "abc\r\n"],
  ["nothing", ["\\"], ""],
  ["no lines", [], ""],
];
for (const [name, lines, bytes] of sendings) {
  test(`encodeSending: ${name}`, () => {
    assert.deepEqual(encodeSending(lines, new Map([["etag", "abc"]])), {
      bytes: Buffer.from(bytes, "latin1"),
      afterwards: "nothing",
    });
  });
}

test("encodeSending: the last line may end the sending", () => {
  assert.deepEqual(encodeSending(["a", "<half-close>"], new Map()), {
    bytes: Buffer.from("a\r\n"),
    afterwards: "half-close",
  });
  assert.deepEqual(encodeSending(["<leave>"], new Map()), { bytes: Buffer.from(""), afterwards: "leave" });
});

test("encodeSending refuses what it would have to guess", () => {
  assert.throws(() => encodeSending(["{unknown}"], new Map()), /no value yet/);
  assert.throws(() => encodeSending(["\\q"], new Map()), /unknown escape/);
  assert.throws(() => encodeSending(["\u00e4"], new Map()), /write other bytes/);
});

test("parseExpectation: status line, fields, body, marks", () => {
  const lines = ["HTTP/1.1 200 OK", "A: 1", "<without Date>", "B: 2: 3", "", "first", "", "last", "<close>"];
  assert.deepEqual(parseExpectation(lines, new Map()), {
    statusLine: "HTTP/1.1 200 OK",
    fields: [
      { name: "A", value: "1" },
      { name: "B", value: "2: 3" },
    ],
    without: ["Date"],
    body: "first\n\nlast",
    ending: "close",
  });
});

test("parseExpectation: definitions within definitions", () => {
  const definitions = new Map([
    ["page", ["HTTP/1.1 {1} {2}", "<type text/plain>", "", "{1}: {any}"]],
    ["type", ["Content-Type: {1}"]],
  ]);
  const { statusLine, fields, body, ending } = parseExpectation(["<page 404 Missing>", "<eof>"], definitions);
  assert.equal(statusLine, "HTTP/1.1 404 Missing");
  assert.deepEqual(fields, [{ name: "Content-Type", value: "text/plain" }]);
  assert.equal(body, "404: {any}");
  assert.equal(ending, "eof");
  assert.throws(() => parseExpectation(["<page 404>"], definitions), /argument 2 is missing/);
});

test("parseExpectation: only the end, or nothing after the head", () => {
  assert.equal(parseExpectation(["<eof>"], new Map()).statusLine, undefined);
  assert.equal(parseExpectation(["HTTP/1.1 204 No Content"], new Map()).body, undefined);
  assert.equal(parseExpectation(["HTTP/1.1 200 OK", ""], new Map()).body, "");
  assert.throws(() => parseExpectation(["HTTP/1.1 200 OK", "<unknown>"], new Map()), /not a field: <unknown>/);
});

const patterns: [name: string, pattern: string, received: string, matched: boolean][] = [
  ["exact text", "a.b", "a.b", true],
  ["a dot is no wildcard", "a.b", "axb", false],
  ["more than the text", "a", "ab", false],
  ["anything", "a{any}z", "a\r\n.z", true],
  ["anything may be nothing", "a{any}", "a", true],
  ["escapes", "\\x00\\r", "\0\r", true],
  ["a new name takes a value", "<{new}>", "<v>", true],
  ["a new name takes no empty value", "<{new}>", "<>", false],
  ["a new name stops at a quote", '"{new}"', '"a" "b"', false],
  ["a known name is its value", "{known}", "old", true],
  ["a known name is nothing else", "{known}", "new", false],
  ["a value with the signs of patterns", "{dots}", "xyz", false],
  ["twice the same new name", "{new}-{new}", "a-a", true],
  ["twice the same new name with two values", "{new}-{new}", "a-b", false],
];
for (const [name, pattern, received, matched] of patterns) {
  test(`matches: ${name}`, () => {
    const captures = new Map([
      ["known", "old"],
      ["dots", "..."],
    ]);
    assert.equal(matches(pattern, received, captures), matched);
    if (!matched) assert.equal(captures.has("new"), false);
  });
}

test("matches: a new value is kept", () => {
  const captures = new Map<string, string>();
  assert.ok(matches('W/"{tag}"', 'W/"1-2"', captures));
  assert.equal(captures.get("tag"), "1-2");
});
