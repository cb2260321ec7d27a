import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type EntityTag,
  type EntityTagList,
  formatEntityTag,
  isStrongMatch,
  isWeakMatch,
  parseEntityTagList,
} from "../../src/http/entity-tag.ts";

const strong = (opaque: string): EntityTag => ({ weak: false, opaque });
const weak = (opaque: string): EntityTag => ({ weak: true, opaque });
const any: EntityTagList = { kind: "any" };
const list = (...tags: EntityTag[]): EntityTagList => ({ kind: "tags", tags });

const cases: [name: string, text: string, want: EntityTagList | undefined][] = [
  ["one tag", '"a"', list(strong("a"))],
  ["a weak tag", 'W/"a"', list(weak("a"))],
  ["several", '"a", W/"b","c"', list(strong("a"), weak("b"), strong("c"))],
  ["a comma inside a tag", '"a,b", "c"', list(strong("a,b"), strong("c"))],
  ["what looks like the next member inside a tag", '"a,W/", "b"', list(strong("a,W/"), strong("b"))],
  ["an empty tag", '""', list(strong(""))],
  ["a backslash is no escape", '"a\\", "b"', list(strong("a\\"), strong("b"))],
  ["octets above ASCII", '"\xe4\xff"', list(strong("\xe4\xff"))],
  ["empty members", ', "a",, \t,"b" ,', list(strong("a"), strong("b"))],
  ["blanks and tabs around the comma", '"a" \t,\t "b"', list(strong("a"), strong("b"))],
  ["asterisk", "*", any],
  ["asterisk in quotes is a tag", '"*"', list(strong("*"))],
  ["asterisk in a list", '*, "a"', undefined],
  ["asterisk after a tag", '"a", *', undefined],
  ["no quotes", "a", undefined],
  ["one bad member spoils the list", '"a", b, "c"', undefined],
  ["no comma between", '"a" "b"', undefined],
  ["not closed", '"a', undefined],
  ["lower-case w", 'w/"a"', undefined],
  ["blank after W/", 'W/ "a"', undefined],
  ["blank inside", '"a b"', undefined],
  ["DEL inside", '"a\x7f"', undefined],
  ["control byte inside", '"a\x01"', undefined],
  ["a character that is no octet", '"\u0100"', undefined],
  ["nothing", "", undefined],
  ["commas alone", ",,", undefined],
];
for (const [name, text, want] of cases) {
  test(`parseEntityTagList: ${name}`, () => assert.deepEqual(parseEntityTagList(text), want));
}

const opaque = fc.string({
  unit: fc
    .integer({ min: 0x21, max: 0xff })
    .filter((code) => code !== 0x22 && code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
});
const tag: fc.Arbitrary<EntityTag> = fc.record({ weak: fc.boolean(), opaque }, { noNullPrototype: true });

test("parseEntityTagList reads what formatEntityTag writes", () => {
  fc.assert(
    fc.property(fc.array(tag, { minLength: 1 }), fc.constantFrom(",", ", ", " ,\t", ",,"), (tags, comma) => {
      assert.deepEqual(parseEntityTagList(tags.map(formatEntityTag).join(comma)), { kind: "tags", tags });
    }),
  );
});

test("parseEntityTagList never throws", () => {
  const texts = fc.string({ unit: fc.constantFrom('"', "W", "/", ",", " ", "\t", "*", "a", "\x7f") });
  fc.assert(fc.property(texts, (text) => assert.doesNotThrow(() => parseEntityTagList(text))));
});

const comparisons: [one: EntityTag, other: EntityTag, strongly: boolean, weakly: boolean][] = [
  [weak("1"), weak("1"), false, true],
  [weak("1"), weak("2"), false, false],
  [weak("1"), strong("1"), false, true],
  [strong("1"), weak("1"), false, true],
  [strong("1"), strong("1"), true, true],
  [strong("1"), strong("2"), false, false],
  [strong("a"), strong("A"), false, false],
];
for (const [one, other, strongly, weakly] of comparisons) {
  test(`comparison: ${formatEntityTag(one)} and ${formatEntityTag(other)}`, () => {
    assert.equal(isStrongMatch(one, other), strongly);
    assert.equal(isWeakMatch(one, other), weakly);
  });
}
