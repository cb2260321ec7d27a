import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findReferences, interpolateAll } from "../../src/config/interpolate.ts";

/** What becomes of the key `x`, with the other keys beside it. */
function expand(x: string, others: Readonly<Record<string, string>> = {}): string {
  const result = interpolateAll(new Map(Object.entries({ x, ...others }))).get("x");
  return result?.kind === "value" ? result.value : `fault: ${result?.problem}`;
}

const unknown = "expected %(root)s to name a key of this section or of [DEFAULT]";
const percent = "expected %% for a percent sign, or %(key)s for the value of a key";
const cases: [name: string, text: string, others: Record<string, string>, want: string][] = [
  ["nothing to do", "plain", {}, "plain"],
  ["a reference", "%(root)s/www", { root: "/srv" }, "/srv/www"],
  ["two references and text between", "%(a)s-%(b)s", { a: "1", b: "2" }, "1-2"],
  ["keys are in lower case", "%(ROOT)s", { root: "/srv" }, "/srv"],
  ["a reference in a reference", "%(a)s", { a: "%(b)s!", b: "1" }, "1!"],
  ["a doubled percent sign", "100%%", {}, "100%"],
  ["a doubled percent sign before a bracket", "%%(root)s", {}, "%(root)s"],
  ["doubled percent signs are undone once", "%(a)s", { a: "%%%%" }, "%%"],
  ["an unknown key", "%(root)s", {}, `fault: ${unknown}`],
  ["an unknown key with a near one", "%(root)s", { rooot: "" }, `fault: ${unknown} (did you mean rooot?)`],
  ["a lone percent sign", "100%", {}, `fault: ${percent}`],
  ["a reference without its s", "%(root)", { root: "" }, `fault: ${percent}`],
  ["a lone percent sign further down", "%(a)s", { a: "5%" }, `fault: ${percent} (in the value of a)`],
  ["itself", "%(x)s", {}, "fault: expected no circle of references: x -> x"],
  ["a circle", "%(a)s", { a: "%(b)s", b: "%(a)s" }, "fault: expected no circle of references: x -> a -> b -> a"],
  [
    "__proto__ is no key that everyone has",
    "%(__proto__)s",
    {},
    "fault: expected %(__proto__)s to name a key of this section or of [DEFAULT]",
  ],
];
for (const [name, text, others, want] of cases) {
  test(`interpolateAll: ${name}`, () => assert.equal(expand(text, others), want));
}

/** `k1` refers to `k2` and so on; the last is plain. */
function chain(length: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length }, (_, at) => [`k${at + 1}`, at + 1 === length ? "end" : `%(k${at + 2})s`]),
  );
}
test("interpolateAll: ten deep", () => assert.equal(expand("%(k1)s", chain(10)), "end"));
test("interpolateAll: eleven deep", () => {
  assert.equal(expand("%(k1)s", chain(11)), "fault: expected references at most 10 deep");
});
test("interpolateAll: the depth does not depend on the order of the keys", () => {
  const backwards = new Map(Object.entries({ ...chain(11), x: "%(k1)s" }).toReversed());
  assert.equal(interpolateAll(backwards).get("x")?.kind, "fault");
  assert.equal(interpolateAll(backwards).get("k1")?.kind, "value");
});
test("interpolateAll: a very long chain is a fault like any other", () => {
  assert.equal(expand("%(k1)s", chain(100_000)), "fault: expected references at most 10 deep");
});

test("interpolateAll: references that multiply are stopped, also where they multiply nothing", () => {
  const many = (key: string) => `%(${key})s`.repeat(1000);
  const bomb = { a: many("b"), b: many("c"), c: many("d"), d: many("e"), e: "x" };
  assert.equal(expand(many("a"), bomb), "fault: expected references that make at most 1m of text");
  assert.equal(expand(many("a"), { ...bomb, e: "" }), "");
});

test("interpolateAll: a long value without references is left alone", () => {
  assert.equal(expand("y".repeat(2_000_000)).length, 2_000_000);
});

test("interpolateAll: text whose percent signs are doubled comes back as it was", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(expand(text.replaceAll("%", "%%")), text);
    }),
  );
});

test("findReferences: the keys, in lower case, and not behind a doubled percent sign", () => {
  assert.deepEqual(findReferences("%(A)s %%(b)s %%%(c)s 5%"), ["a", "c"]);
});
