import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldNameBit, ParsedFields } from "../../src/http/parsed-fields.ts";
import { fakeRequestFields } from "../support/request-head.ts";

type Line = readonly [name: string, value: string];

/** As the parser makes them: one text, and the places of names and values in it. */
function fieldsOf(lines: readonly Line[]): ParsedFields {
  let text = "GET / HTTP/1.1\r\n";
  let bits = 0;
  const places: number[] = [];
  for (const [name, value] of lines) {
    const start = text.length;
    const valueStart = start + name.length + 2;
    places.push(start, start + name.length, valueStart, valueStart + value.length);
    bits |= fieldNameBit(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
    text += `${name}: ${value}\r\n`;
  }
  return new ParsedFields(`${text}\r\n`, places, bits);
}

const ACCEPT: readonly Line[] = [
  ["Host", "a"],
  ["Accept", "text/html"],
  ["ACCEPT", "*/*"],
  ["X-Empty", ""],
];

const cases: [name: string, lines: readonly Line[], asked: string, want: readonly string[]][] = [
  ["no fields", [], "host", []],
  ["one field", ACCEPT, "host", ["a"]],
  ["two lines of one name, in any case", ACCEPT, "accept", ["text/html", "*/*"]],
  ["an empty value is there", ACCEPT, "x-empty", [""]],
  ["absent", ACCEPT, "range", []],
  ["the beginning of a name", ACCEPT, "accep", []],
  ["a name with more behind it", ACCEPT, "accept-encoding", []],
  ["the same length, first and last letter", [["Hxxt", "a"]], "host", []],
  ["a name of one letter", [["X", "a"]], "x", ["a"]],
  ["names of an object's own", [["__proto__", "a"]], "__proto__", ["a"]],
  ["nothing is inherited", ACCEPT, "constructor", []],
  ["marks are not folded like letters", [["A^", "a"]], "a~", []],
  ["marks that differ in one bit", [["x@", "a"]], "x`", []],
  ["bytes over 0x7F in a value", [["X-Name", "caf\xe9"]], "x-name", ["caf\xe9"]],
];
for (const [name, lines, asked, want] of cases) {
  test(`ParsedFields: ${name}`, () => {
    const fields = fieldsOf(lines);
    assert.equal(fields.count, lines.length);
    assert.deepEqual(fields.all(asked), want);
    assert.equal(fields.has(asked), want.length > 0);
    assert.equal(fields.get(asked), want.length > 0 ? want.join(", ") : undefined);
  });
}

test("ParsedFields: the same as a plain list, whatever the names", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
  const value = fc.stringMatching(/^[!-~]{0,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), name, (lines, other) => {
      const fields = fieldsOf(lines);
      const model = fakeRequestFields(lines);
      for (const asked of [other, ...lines.map(([one]) => one)]) {
        const lower = asked.toLowerCase();
        assert.deepEqual(fields.all(lower), model.all(lower));
        assert.equal(fields.get(lower), model.get(lower));
        assert.equal(fields.has(lower), model.has(lower));
      }
    }),
    { numRuns: 500 },
  );
});

test("fieldNameBit: one bit, and the same in any case", () => {
  for (const [upper, lower] of [
    ["Host", "host"],
    ["If-None-Match", "if-none-match"],
    ["X", "x"],
  ] as const) {
    const bitOf = (name: string) => fieldNameBit(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
    assert.equal(bitOf(upper), bitOf(lower));
    assert.equal(Math.log2(bitOf(lower) >>> 0) % 1, 0);
  }
});
