import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAttachment } from "../../src/site/plan-file.ts";

const cases: [name: string, file: string, want: string][] = [
  ["plain", "report.txt", 'attachment; filename="report.txt"'],
  ["blanks and punctuation", "a b;c=(d)'.txt", `attachment; filename="a b;c=(d)'.txt"`],
  ["umlauts", "Übersicht.txt", `attachment; filename="_bersicht.txt"; filename*=UTF-8''%C3%9Cbersicht.txt`],
  [
    "one character outside the basic plane",
    "🟢.txt",
    `attachment; filename="_.txt"; filename*=UTF-8''%F0%9F%9F%A2.txt`,
  ],
  ["a quote", 'a"b', `attachment; filename="a_b"; filename*=UTF-8''a%22b`],
  ["a backslash", "a\\b", `attachment; filename="a_b"; filename*=UTF-8''a%5Cb`],
  ["a percent sign", "100%41", `attachment; filename="100_41"; filename*=UTF-8''100%2541`],
  ["a line end", "a\r\nX: y", `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`],
  ["half a surrogate pair", "a\ud800", `attachment; filename="a_"; filename*=UTF-8''a%EF%BF%BD`],
  ["an apostrophe among other characters", "é'*", `attachment; filename="_'*"; filename*=UTF-8''%C3%A9%27%2A`],
];
for (const [name, file, want] of cases) {
  test(`formatAttachment: ${name}`, () => assert.equal(formatAttachment(file), want));
}

test("formatAttachment: printable ASCII whatever the name, and the name can be read back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (name) => {
      const value = formatAttachment(name);
      const [, plain = "", extended] =
        /^attachment; filename="([\x20-\x7e]*)"(?:; filename\*=UTF-8''([!#$&+\-.^_`|~0-9A-Za-z%]*))?$/.exec(value) ??
        assert.fail(value);
      assert.equal(extended === undefined ? plain : decodeURIComponent(extended), name);
    }),
  );
});
