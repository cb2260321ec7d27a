import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { disarmControls, escapeText, formatJsonString } from "../../src/observe/escape.ts";

const escapes: [name: string, text: string, want: string][] = [
  ["printable ASCII stays", "GET /a~b?c=%20 HTTP/1.1", "GET /a~b?c=%20 HTTP/1.1"],
  ["quote and backslash", 'a"b\\c', 'a\\"b\\\\c'],
  ["the short escapes", "\b\n\r\t\v", "\\b\\n\\r\\t\\v"],
  ["other control bytes", "\x00\x07\x0c\x1b[2J", "\\x00\\x07\\x0c\\x1b[2J"],
  ["DEL", "\x7f", "\\x7f"],
  ["C1 and Latin-1", "\x9bé\xff", "\\x9b\\xe9\\xff"],
  ["beyond Latin-1 as UTF-8", "✓", "\\xe2\\x9c\\x93"],
  ["beyond the first plane as UTF-8", "🟢", "\\xf0\\x9f\\x9f\\xa2"],
  ["half a pair as a replacement character", "a\ud83d", "a\\xef\\xbf\\xbd"],
];
for (const [name, text, want] of escapes) {
  test(`escapeText: ${name}`, () => assert.equal(escapeText(text), want));
}

test("escapeText: what comes back is printable ASCII, and no quote stands without a backslash", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeText(text);
      assert.match(escaped, /^[\x20-\x7e]*$/);
      assert.match(escaped, /^(?:[^"\\]|\\["\\bnrtv]|\\x[0-9a-f]{2})*$/);
    }),
  );
});

test("escapeText: two texts from the wire never look the same", () => {
  const latin1 = fc.uint8Array().map((octets) => Buffer.from(octets).toString("latin1"));
  const undo = (escaped: string): string =>
    escaped.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex: string | undefined, short: string) =>
      hex === undefined
        ? JSON.parse(`"${short === "v" ? "\\u000b" : `\\${short}`}"`)
        : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  fc.assert(fc.property(latin1, (text) => assert.equal(undo(escapeText(text)), text)));
});

const disarmed: [name: string, text: string, want: string][] = [
  ["signs of all languages stay", 'host "été.example" ✓ 🟢', 'host "été.example" ✓ 🟢'],
  ["line feeds stay", "a\nb", "a\nb"],
  ["escape, carriage return and C1 do not", "\x1b[31m\r\x9b1m", "\\x1b[31m\\r\\x9b1m"],
  ["marks that turn the writing round", "\u202egpj.exe", "\\xe2\\x80\\xaegpj.exe"],
];
for (const [name, text, want] of disarmed) {
  test(`disarmControls: ${name}`, () => assert.equal(disarmControls(text), want));
}

test("formatJsonString: printable ASCII that means the same text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = formatJsonString(text);
      assert.match(json, /^[\x20-\x7e]*$/);
      assert.equal(JSON.parse(json), text);
    }),
  );
});
