import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type JsonFault, JsonSyntax } from "../../src/tasks/json-syntax.ts";

/** The faults that one text leads to, in whatever pieces it comes: of the pushes, or else of the end. */
function check(pieces: Iterable<Uint8Array>): JsonFault | undefined {
  const syntax = new JsonSyntax();
  for (const piece of pieces) {
    const fault = syntax.push(piece);
    if (fault === undefined) continue;
    assert.equal(syntax.push(piece), fault);
    assert.equal(syntax.end(), fault);
    return fault;
  }
  return syntax.end();
}

/** Whole, byte by byte, and in two pieces cut at every point. */
function cuts(input: Buffer): Buffer[][] {
  const single = Array.from(input, (_, at) => input.subarray(at, at + 1));
  const halves = Array.from({ length: input.length + 1 }, (_, at) => [input.subarray(0, at), input.subarray(at)]);
  return [[input], single, ...halves];
}

const accepted: [name: string, text: string | Buffer][] = [
  ["an object", '{"a":1,"b":[true,false,null]}'],
  ["empty array and object", "[[],{},[ ],{\t}]"],
  ["a string alone", '"text"'],
  ["a number alone", "0"],
  ["true alone", "true"],
  ["false alone", "false"],
  ["null alone", "null"],
  ["the four blanks everywhere", ' \t\r\n{ \t\r\n"a" \t\r\n: \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n} \t\r\n'],
  ["numbers", "[0,-0,1,-1,10,0.0,-0.10,1e5,1E+05,1e-0,0e0,0.5E-7]"],
  ["a number beyond any machine", `-1${"0".repeat(50)}.${"9".repeat(50)}e${"9".repeat(50)}`],
  ["every escape", '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFF\\uabCD"'],
  ["half a surrogate pair as an escape", '["\\ud800","\\uDFFF","\\uDC00\\uD800"]'],
  ["DEL and the separators of lines in a string", '"\x7f\u0080\u2028\u2029"'],
  ["characters of two, three and four octets", '"\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"'],
  ["the same in a key", '{"\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}":0}'],
  ["a mark within a string", '"\ufeff"'],
  ["an empty key, equal keys, __proto__", '{"":0,"a":1,"a":2,"__proto__":{"x":1},"constructor":null}'],
  ["an object in an array in an object", '{"a":[{"b":[]},{}],"c":{}}'],
];
for (const [name, text] of accepted) {
  test(`JsonSyntax accepts ${name}`, () => {
    for (const pieces of cuts(Buffer.from(text))) assert.equal(check(pieces), undefined);
  });
}

const aValue = "a value";
const end = "nothing after the value";
const inArray = "a comma or ]";
const inObject = "a comma or }";
const firstKey = "a key in double quotes or }";
const nextKey = "a key in double quotes";
const quote = "a closing double quote";
const escaped = "an escape such as \\n in place of a control character";
const anEscape = 'one of " \\ / b f n r t u after the backslash';
const hex = "four hexadecimal digits after \\u";
const zeros = "a number without leading zeros";

const refused: [name: string, text: string, line: number, column: number, offset: number, expected: string][] = [
  ["an empty text", "", 1, 1, 0, aValue],
  ["nothing but blanks", " \n\t", 2, 2, 3, aValue],
  ["a word", "hello", 1, 1, 0, aValue],
  ["undefined", "[undefined]", 1, 2, 1, "a value or ]"],
  ["NaN", "[1,NaN]", 1, 4, 3, aValue],
  ["single quotes", "'a'", 1, 1, 0, aValue],
  ["a comment", "{} // done", 1, 4, 3, end],
  ["a second value", "1 2", 1, 3, 2, end],
  ["a second value without a blank", "{}[]", 1, 3, 2, end],
  ["NUL after the value", "1\0", 1, 2, 1, end],
  ["a form feed as a blank", "\f1", 1, 1, 0, aValue],
  ["a no-break space as a blank", "[1,\u00a02]", 1, 4, 3, aValue],
  ["a byte order mark", "\ufeff{}", 1, 1, 0, "a value without a byte order mark before it"],
  ["a byte order mark alone", "\ufeff", 1, 1, 0, "a value without a byte order mark before it"],
  ["a byte order mark later", "1\ufeff", 1, 2, 1, end],
  ["a character that begins like the mark", "\ufefe", 1, 1, 0, aValue],
  ["another of these", "\uff21", 1, 1, 0, aValue],

  ["an array that is not closed", "[", 1, 2, 1, "a value or ]"],
  ["an array that stops after a value", "[1", 1, 3, 2, inArray],
  ["an array closed as an object", "[1}", 1, 3, 2, inArray],
  ["an array that begins with a comma", "[,1]", 1, 2, 1, "a value or ]"],
  ["a comma before the end of an array", "[1,]", 1, 4, 3, aValue],
  ["two commas", "[1,,2]", 1, 4, 3, aValue],
  ["no comma", "[1 2]", 1, 4, 3, inArray],
  ["a closing bracket too many", "[]]", 1, 3, 2, end],
  ["a closing bracket alone", "]", 1, 1, 0, aValue],
  ["an array that ends in an outer object", '{"a":[}', 1, 7, 6, "a value or ]"],
  ["an object that ends in an outer array", '[{"a":1]', 1, 8, 7, inObject],

  ["an object that is not closed", "{", 1, 2, 1, firstKey],
  ["a key without quotes", "{a:1}", 1, 2, 1, firstKey],
  ["a number as a key", "{1:1}", 1, 2, 1, firstKey],
  ["a comma before the end of an object", '{"a":1,}', 1, 8, 7, nextKey],
  ["a key without a colon", '{"a" 1}', 1, 6, 5, "a colon"],
  ["a key alone", '{"a"}', 1, 5, 4, "a colon"],
  ["a key without a value", '{"a":}', 1, 6, 5, aValue],
  ["no comma after a member", '{"a":1 "b":2}', 1, 8, 7, inObject],
  ["an object closed as an array", '{"a":1]', 1, 7, 6, inObject],
  ["an object that stops after a value", '{"a":"b"', 1, 9, 8, inObject],
  ["a colon in an array", '["a":1]', 1, 5, 4, inArray],

  ["a word that stops", "tru", 1, 4, 3, "true"],
  ["a word with another letter", "nulL", 1, 4, 3, "null"],
  ["a word that goes on", "falsey", 1, 6, 5, end],
  ["a word in capitals", "[True]", 1, 2, 1, "a value or ]"],

  ["a plus sign", "+1", 1, 1, 0, aValue],
  ["a minus sign alone", "-", 1, 2, 1, "a digit"],
  ["two minus signs", "--1", 1, 2, 1, "a digit"],
  ["a leading zero", "01", 1, 2, 1, zeros],
  ["a leading zero after the sign", "[-01]", 1, 4, 3, zeros],
  ["no digit before the point", ".5", 1, 1, 0, aValue],
  ["no digit after the point", "[1.]", 1, 4, 3, "a digit"],
  ["a number that stops at the point", "1.", 1, 3, 2, "a digit"],
  ["two points", "1.5.5", 1, 4, 3, end],
  ["no digit in the exponent", "[1e]", 1, 4, 3, "a digit or a sign"],
  ["no digit after the sign of the exponent", "1e+", 1, 4, 3, "a digit"],
  ["a fraction in the exponent", "[1e1.5]", 1, 5, 4, inArray],
  ["hexadecimal", "0x10", 1, 2, 1, end],
  ["an underscore", "[1_0]", 1, 3, 2, inArray],

  ["a string that is not closed", '"abc', 1, 5, 4, quote],
  ["a string that stops in an escape", '"\\', 1, 3, 2, anEscape],
  ["a line end in a string", '["a\nb"]', 1, 4, 3, escaped],
  ["a tab in a string", '"\t"', 1, 2, 1, escaped],
  ["NUL in a string", '"\0"', 1, 2, 1, escaped],
  ["a control character in a key", '{"\x1f":1}', 1, 3, 2, escaped],
  ["an unknown escape", '"\\x41"', 1, 3, 2, anEscape],
  ["an escape in capitals", '"\\N"', 1, 3, 2, anEscape],
  ["three hexadecimal digits", '"\\u004"', 1, 7, 6, hex],
  ["a digit that is not hexadecimal", '"\\u00g0"', 1, 6, 5, hex],
  ["an escape of braces", '"\\u{41}"', 1, 4, 3, hex],

  ["a fault on a later line", '{\n  "a": 1,\n  b: 2\n}', 3, 3, 14, nextKey],
  ["a fault after CR LF", "[1,\r\n2\r\n3]", 3, 1, 8, inArray],
  ["CR alone does not end a line", "[1,\r2\r3]", 1, 7, 6, inArray],
  ["a fault at the beginning of a line", "[\n\n!", 3, 1, 3, "a value or ]"],
  ["the end on a line of its own", "[\n", 2, 1, 2, "a value or ]"],
  ["columns are characters, offsets are bytes", '["\u00e4\u20ac\u{1f600}"!', 1, 7, 12, inArray],
  ["characters of an earlier line do not count", '["\u00e4\u20ac\u{1f600}",\n"\u00e4"!', 2, 4, 18, inArray],
];
for (const [name, text, line, column, offset, expected] of refused) {
  test(`JsonSyntax refuses ${name}`, () => {
    for (const pieces of cuts(Buffer.from(text))) {
      assert.deepEqual(check(pieces), { line, column, offset, expected });
    }
  });
}

const notUtf8: [name: string, octets: number[]][] = [
  ["a second octet alone", [0x80]],
  ["the last of these", [0xbf]],
  ["an overlong slash of two octets", [0xc0, 0xaf]],
  ["an overlong DEL", [0xc1, 0xbf]],
  ["an overlong slash of three octets", [0xe0, 0x80, 0xaf]],
  ["the largest overlong of three octets", [0xe0, 0x9f, 0xbf]],
  ["the first surrogate", [0xed, 0xa0, 0x80]],
  ["the last surrogate", [0xed, 0xbf, 0xbf]],
  ["a pair of surrogates", [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ["an overlong of four octets", [0xf0, 0x8f, 0xbf, 0xbf]],
  ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
  ["F5", [0xf5, 0x80, 0x80, 0x80]],
  ["FE", [0xfe]],
  ["FF", [0xff]],
  ["cut after the first of two", [0xc3]],
  ["cut after the first of three", [0xe2]],
  ["cut after the second of three", [0xe2, 0x82]],
  ["cut after the first of four", [0xf0]],
  ["cut after the first of three that bounds the second", [0xed]],
  ["cut after the first of four that leaves the second free", [0xf1]],
  ["cut after the second of four", [0xf1, 0x80]],
  ["cut after the third of four", [0xf0, 0x9f, 0x98]],
  ["a first octet in place of a second", [0xe2, 0xe2, 0x82, 0xac]],
];
for (const [name, octets] of notUtf8) {
  for (const [where, before, after] of [
    ["in a string", '["\u00e4', '"]'],
    ["in a key", '[{"', '":1}]'],
    ["at the end", '["\u00e4', ""],
  ] as const) {
    test(`JsonSyntax refuses what is not UTF-8 ${where}: ${name}`, () => {
      const input = Buffer.concat([Buffer.from(before), Buffer.from(octets), Buffer.from(after)]);
      const want = { line: 1, column: before.length + 1, offset: Buffer.byteLength(before), expected: "valid UTF-8" };
      for (const pieces of cuts(input)) assert.deepEqual(check(pieces), want);
    });
  }
}

/** `text` again and again, in chunks. */
function* repeat(text: string, times: number): Generator<Buffer> {
  const chunk = Buffer.from(text.repeat(Math.min(times, 2 ** 16)));
  const each = chunk.length / text.length;
  let left = times;
  for (; left >= each; left -= each) yield chunk;
  yield chunk.subarray(0, left * text.length);
}

function* join(...parts: Iterable<Buffer>[]): Generator<Buffer> {
  for (const part of parts) yield* part;
}

for (const depth of [100_000, 5_000_000]) {
  test(`JsonSyntax accepts ${depth} brackets, in a bit for each`, () => {
    const before = process.memoryUsage();
    const syntax = new JsonSyntax();
    for (const chunk of repeat("[", depth)) assert.equal(syntax.push(chunk), undefined);
    const after = process.memoryUsage();
    assert.ok(after.arrayBuffers - before.arrayBuffers < 4 * 2 ** 20);
    assert.ok(after.heapUsed - before.heapUsed < 16 * 2 ** 20);

    for (const chunk of repeat("]", depth)) assert.equal(syntax.push(chunk), undefined);
    assert.equal(syntax.end(), undefined);
  });
}

test("JsonSyntax remembers what is open, however deep", () => {
  const pairs = 100_000;
  const opening = () => repeat('[{"a":', pairs);
  assert.equal(check(join(opening(), [Buffer.from("0")], repeat("}]", pairs))), undefined);
  assert.deepEqual(check(join(opening(), [Buffer.from("0")], repeat("}]", pairs - 1), [Buffer.from("]")])), {
    line: 1,
    column: 6 * pairs + 1 + 2 * (pairs - 1) + 1,
    offset: 6 * pairs + 1 + 2 * (pairs - 1),
    expected: inObject,
  });
});

test("JsonSyntax refuses more than 2^24 levels", () => {
  const depth = 2 ** 24;
  assert.equal(check(join(repeat("[", depth), repeat("]", depth))), undefined);
  assert.deepEqual(check(repeat("[", depth + 1)), {
    line: 1,
    column: depth + 1,
    offset: depth,
    expected: "at most 16777216 levels of nesting",
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const indent = fc.constantFrom(undefined, 1, "\t", "\r\n");
const validText = fc.oneof(
  fc.json({ stringUnit: "binary" }),
  fc
    .tuple(fc.jsonValue({ stringUnit: "grapheme" }), indent)
    .map(([value, space]) => JSON.stringify(value, null, space)),
);

test("JsonSyntax accepts whatever JSON.stringify makes", () => {
  fc.assert(
    fc.property(validText, (text) => assert.equal(check([Buffer.from(text)]), undefined)),
    { numRuns: 1000 },
  );
});

/** A text with some of its characters replaced, removed or added. */
const token = fc.constantFrom(...'[]{}:,"\\ \n\t0123456789-+.eEtruefalsn/xu\u00a0\u00e4\0', "1e", '"a"', "true", "\\u");
const edit = fc.record({ at: fc.nat(), removed: fc.nat(2), added: fc.oneof(fc.constant(""), token) });
const mutatedText = fc.tuple(validText, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([text, edits]) =>
  edits.reduce((current, { at, removed, added }) => {
    const place = at % (current.length + 1);
    return current.slice(0, place) + added + current.slice(place + removed);
  }, text),
);
const soup = fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join(""));

test("JsonSyntax accepts and refuses as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.oneof(mutatedText, soup), (text) => {
      const encoded = Buffer.from(text);
      // A mutation may have halved a surrogate pair, which then became another character.
      assert.equal(check([encoded]) === undefined, isJson(encoded.toString()), text);
    }),
    { numRuns: 5000 },
  );
});

/** Cuts `input` at the places that `cutPoints` fall on. */
function cutAt(input: Buffer, cutPoints: readonly number[]): Buffer[] {
  const places = cutPoints.map((point) => point % (input.length + 1)).sort((a, b) => a - b);
  return [...places, input.length].map((place, index) => input.subarray(places[index - 1] ?? 0, place));
}

const anyBytes = fc.oneof(
  fc.uint8Array().map((octets) => Buffer.from(octets)),
  fc.uint8Array().map((octets) => Buffer.concat([Buffer.from('["'), octets, Buffer.from('"]')])),
  fc.oneof(mutatedText, soup).map((text) => Buffer.from(text)),
);

test("JsonSyntax never throws, and does not care where arbitrary bytes are cut", () => {
  fc.assert(
    fc.property(anyBytes, fc.array(fc.nat()), (whole, cutPoints) => {
      assert.deepEqual(check(cutAt(whole, cutPoints)), check([whole]));
    }),
    { numRuns: 2000 },
  );
});

test("JsonSyntax takes for UTF-8 what a strict decoder takes for it", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isUtf8 = (octets: Uint8Array) => {
    try {
      decoder.decode(octets);
      return true;
    } catch {
      return false;
    }
  };
  const first = fc.constantFrom(0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5);
  const rest = fc.array(
    fc.oneof(fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf), fc.integer({ min: 0x80, max: 0xff })),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(first, rest, (lead, tail) => {
      const octets = Uint8Array.from([lead, ...tail]);
      const fault = check([Buffer.from('"'), octets, Buffer.from('"')]);
      assert.equal(fault === undefined, isUtf8(octets));
    }),
    { numRuns: 3000 },
  );
});

/** The position counted in the plainest way, from all that stands before the fault. */
test("JsonSyntax says line and column of the offset it gives", () => {
  fc.assert(
    fc.property(mutatedText, (text) => {
      const encoded = Buffer.from(text);
      const fault = check([encoded]);
      if (fault === undefined) return;
      const lines = encoded.subarray(0, fault.offset).toString().split("\n");
      assert.deepEqual([fault.line, fault.column], [lines.length, [...(lines.at(-1) ?? "")].length + 1]);
    }),
    { numRuns: 2000 },
  );
});
