import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareNaturally, naturalKey } from "../../src/base/natural-order.ts";

const compare = (a: string, b: string): number => compareNaturally(naturalKey(a), naturalKey(b), a, b);

const cases: [name: string, sorted: string[]][] = [
  ["numbers by what they stand for", ["file1", "file2", "file10", "file100"]],
  ["letters without regard to case", ["alpha", "Beta", "gamma", "Zeta"]],
  ["accents beside their letter", ["eagle", "école", "edge", "Élan", "zoo"]],
  ["the same but for case: upper case first, every time", ["README", "Readme", "readme"]],
  ["leading zeros do not count, and decide at last", ["a01", "a1", "a002", "a2"]],
  ["zero before one", ["a", "a0", "a00", "a1"]],
  ["several numbers in a name", ["v1.2.9", "v1.2.10", "v1.10.0", "v2.0.0"]],
  ["numbers longer than a float holds", ["x90071992547409931", "x90071992547409932", "x100000000000000000000"]],
  ["a number before a letter", ["file", "file.txt", "file1.txt", "file9z", "filea"]],
  ["a beginning before the whole", ["photo", "photo 1", "photo 12"]],
  ["full-width digits are digits", ["n９", "n10"]],
];
for (const [name, sorted] of cases) {
  test(`natural order: ${name}`, () => {
    assert.deepEqual([...sorted].reverse().sort(compare), sorted);
    assert.deepEqual([...sorted].sort(compare), sorted);
  });
}

test("natural order: any two different texts have one order, and it is transitive", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[aAé0-9.]{0,6}$/));
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      assert.equal(Math.sign(compare(a, b)), -Math.sign(compare(b, a)) || 0);
      assert.equal(compare(a, b) === 0, a === b);
      if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0);
    }),
  );
});

test("natural order: numbers sort as numbers", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), (a, b) => {
      assert.equal(compare(`n${a}.txt`, `n${b}.txt`), a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});
