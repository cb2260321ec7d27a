import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatFault } from "../../src/config/fault.ts";
import { type IniDocument, type IniSection, parseIniFile } from "../../src/config/ini-file.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const parseText = (text: string): IniDocument => parseIniFile(encode(text), "x.conf");

/** Sections as plain entries: `[["main", [["port", "80"]]]]`. */
function plain(sections: readonly IniSection[]): unknown {
  return sections.map((section) => [section.name, [...section.pairs.values()].map(({ key, value }) => [key, value])]);
}

type Plain = [section: string, pairs: [key: string, value: string][]][];
const main = (...pairs: [string, string][]): Plain => [["main", pairs]];

const readable: [name: string, text: string, want: Plain][] = [
  ["nothing", "", []],
  ["an equals sign", "[main]\nport = 80", main(["port", "80"])],
  ["a colon", "[main]\nport: 80", main(["port", "80"])],
  ["the first of both delimiters counts", "[main]\na = b: c\nd: e = f", main(["a", "b: c"], ["d", "e = f"])],
  ["no blanks", "[main]\nport=80", main(["port", "80"])],
  ["an empty value", "[main]\ncharset =\n", main(["charset", ""])],
  ["a key with a blank", "[main]\nlog level = x", main(["log level", "x"])],
  ["keys in lower case", "[main]\nPort = 80", main(["port", "80"])],
  ["section names as they are", "[Main Server]", [["Main Server", []]]],
  ["full-line comments", "# a\n[main]\n; b\n  # c\nport = 80", main(["port", "80"])],
  ["no comments behind a value", "[main]\nport = 80 ; x # y", main(["port", "80 ; x # y"])],
  ["continuation", "[main]\na = 1\n  2\n\t3\nb = 4", main(["a", "1\n2\n3"], ["b", "4"])],
  ["continuation across a comment", "[main]\na = 1\n# c\n  2", main(["a", "1\n2"])],
  ["continuation across an empty line", "[main]\na = 1\n\n  2", main(["a", "1\n\n2"])],
  ["a value that begins on the next line", "[main]\na =\n  1\n  2", main(["a", "\n1\n2"])],
  ["empty lines after a value are no part of it", "[main]\na = 1\n\n\nb = 2", main(["a", "1"], ["b", "2"])],
  ["a continuation may look like anything", "[main]\na = 1\n  [x]\n  b = 2", main(["a", "1\n[x]\nb = 2"])],
  ["pairs that are all indented alike", "[main]\n  a = 1\n  b = 2", main(["a", "1"], ["b", "2"])],
  ["less indentation is no continuation", "[main]\n    a = 1\n  b = 2", main(["a", "1"], ["b", "2"])],
  [
    "an indented section",
    "[main]\n  [other]\n",
    [
      ["main", []],
      ["other", []],
    ],
  ],
  ["brackets in a section name", "[a]b]", [["a]b", []]]],
  [
    "dots in a section name do not nest",
    "[a.b]\nx = 1\n[a]\nb = 2",
    [
      ["a.b", [["x", "1"]]],
      ["a", [["b", "2"]]],
    ],
  ],
  [
    "the words true, false and null stay text",
    "[main]\na = true\nb = false\nc = null",
    main(["a", "true"], ["b", "false"], ["c", "null"]),
  ],
  ["quotes stay", "[main]\na = \"b\"\nc = 'd'", main(["a", '"b"'], ["c", "'d'"])],
  ["__proto__ is a key as any other", "[main]\n__proto__ = x", main(["__proto__", "x"])],
  ["__proto__ is a section as any other", "[__proto__]\na = x", [["__proto__", [["a", "x"]]]]],
  ["brackets behind a key make no list", "[main]\na[] = x", main(["a[]", "x"])],
  ["CR LF", "[main]\r\na = 1\r\n  2\r\n", main(["a", "1\n2"])],
  ["CR alone", "[main]\ra = 1\r", main(["a", "1"])],
  ["a byte order mark", "\ufeff[main]\na = 1", main(["a", "1"])],
  ["other scripts", "[main]\na = žluťoučký 🐎", main(["a", "žluťoučký 🐎"])],
];
for (const [name, text, want] of readable) {
  test(`parseIniFile: ${name}`, () => {
    const { sections, faults } = parseText(text);
    assert.deepEqual(faults, []);
    assert.deepEqual(plain(sections), want);
  });
}

const faulty: [name: string, text: string, want: string[]][] = [
  ["a junk line", "[main]\nhello", ["x.conf:2: hello: expected key = value, a [section] or a comment"]],
  [
    "pairs before any section are one fault",
    "a = 1\nb = 2\n[main]",
    ["x.conf:1: a = 1: expected a section before it, such as [main]"],
  ],
  ["no key", "[main]\n= 80", ["x.conf:2: = 80: expected a key before the ="]],
  [
    "a key twice, in another case",
    "[main]\nport = 80\n\nPORT = 81",
    ["x.conf:4: [main] port = 81: already given at line 2: expected each key once in a section"],
  ],
  [
    "a section twice; its pairs are compared too",
    "[a]\nx = 1\n[a]\nx = 2",
    [
      "x.conf:3: [a]: already began at line 1: expected each section once",
      "x.conf:4: [a] x = 2: already given at line 2: expected each key once in a section",
    ],
  ],
  [
    "[DEFAULT] twice",
    "[DEFAULT]\n[DEFAULT]",
    ["x.conf:2: [DEFAULT]: already began at line 1: expected each section once"],
  ],
  ["a section without its end", "[main", ["x.conf:1: [main: expected a section such as [main], alone on its line"]],
  [
    "text behind a section",
    "[main] # x",
    ["x.conf:1: [main] # x: expected a section such as [main], alone on its line"],
  ],
  ["a section without a name", "[]", ["x.conf:1: []: expected a section such as [main], alone on its line"]],
];
for (const [name, text, want] of faulty) {
  test(`parseIniFile: ${name}`, () => assert.deepEqual(parseText(text).faults.map(formatFault), want));
}

test("parseIniFile: a line that is not UTF-8 is known by its number", () => {
  const bytes = Uint8Array.of(...encode("[main]\n# caf"), 0xe9, ...encode("\na = 1"));
  const { sections, faults } = parseIniFile(bytes, "x.conf");
  assert.deepEqual(faults.map(formatFault), ["x.conf:2: # caf\ufffd: expected UTF-8 text"]);
  assert.deepEqual(plain(sections), main(["a", "1"]));
});

test("parseIniFile: UTF-16 is one fault, not one for each line", () => {
  const bytes = Uint8Array.of(0xff, 0xfe, ...Buffer.from("[main]\na = 1\n", "utf16le"));
  assert.deepEqual(parseIniFile(bytes, "x.conf").faults.map(formatFault), ["x.conf:1: UTF-16 text: expected UTF-8"]);
});

test("parseIniFile: each pair knows its line, and where it is continued", () => {
  const pairs = [...(parseText("[main]\na = 1\n\n# c\n  2\n  3\nb = 4").sections[0]?.pairs.values() ?? [])];
  assert.deepEqual(
    pairs.map(({ line, continuedAt }) => [line, continuedAt]),
    [
      [2, 5],
      [7, undefined],
    ],
  );
});

// Built from everything that npm's dialect gives a meaning to.
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(".", ";", "#", "=", '"', "'", "[", "]", "\\", "[]", "__proto__", "true", "null", "%", "\u2028"),
      fc.string({ unit: "grapheme-composite", maxLength: 4 }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join("").replace(/[\r\n]/g, ""));
const names = hostile.map((text) => text.trim()).filter((text) => text !== "");
const keys = names
  .map((text) => text.toLowerCase().replace(/[=:]/g, "-"))
  .filter((text) => /^[^#;[\s](.*\S)?$/.test(text));
const values = fc
  .oneof(
    hostile,
    hostile.map((text) => text.repeat(2000)),
  )
  .map((text) => text.trim());

test("what ini would change survives: names, keys and values", () => {
  const pairs = fc.uniqueArray(fc.tuple(keys, values), { selector: ([key]) => key, maxLength: 5 });
  const sections = fc.uniqueArray(fc.tuple(names, pairs), { selector: ([name]) => name, maxLength: 5 });
  fc.assert(
    fc.property(sections, (wanted) => {
      const text = wanted.map(([name, inside]) =>
        [`[${name}]`, ...inside.map(([key, value]) => `${key} = ${value}`)].join("\n"),
      );
      const document = parseText(text.join("\n"));
      assert.deepEqual(document.faults, []);
      assert.deepEqual(plain(document.sections), wanted);
    }),
    // Names that `ini` would take for one.
    {
      examples: [
        [
          [
            ["\\.", []],
            [".", [[".", "."]]],
          ],
        ],
      ],
    },
  );
});

test("parseIniFile never throws, whatever the bytes", () => {
  const lines = fc.array(fc.oneof(hostile, fc.constantFrom("[main]", "a = 1", "  x", "", "# c")));
  const bytes = fc.oneof(
    lines.map((each) => encode(each.join("\n"))),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(bytes, (each) => {
      const { sections, faults } = parseIniFile(each, "x.conf");
      for (const fault of faults) assert.match(formatFault(fault), /^x\.conf:\d+: [^\n]+$/);
      for (const { pairs } of sections) for (const [key, pair] of pairs) assert.equal(pair.key, key);
    }),
  );
});
