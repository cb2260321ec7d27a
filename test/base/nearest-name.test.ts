import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nearestName } from "../../src/base/nearest-name.ts";

const options = ["address", "port", "docbase", "indexfiles", "logfile", "timeout"];

const cases: [name: string, wanted: string, known: string[], want: string | undefined][] = [
  ["a letter missing", "indexfile", options, "indexfiles"],
  ["a letter too many", "adddress", options, "address"],
  ["another letter", "parse", ["purse"], "purse"],
  ["neighbours exchanged", "prot", options, "port"],
  ["neighbours exchanged are one slip", "ab", ["ba"], "ba"],
  ["three slips in nine letters", "logfiling", ["logfiles"], "logfiles"],
  ["case does not count, and the known spelling comes back", "DocBase", ["docbase"], "docbase"],
  ["the same name", "port", options, "port"],
  ["the nearest of several", "hots", ["hosts", "host", "hot"], "hosts"],
  ["the first of equally near ones", "bat", ["cat", "hat"], "cat"],
  ["an exact name behind a near one", "hat", ["cat", "hat"], "hat"],
  ["too far", "frobnicate", options, undefined],
  ["a short name allows one slip", "ab", ["cd"], undefined],
  ["one letter may be another", "a", ["b"], "b"],
  ["nothing known", "port", [], undefined],
  ["nothing wanted", "", options, undefined],
];
for (const [name, wanted, known, want] of cases) {
  test(`nearestName: ${name}`, () => assert.equal(nearestName(wanted, known), want));
}

test("nearestName finds a name again from which one character is gone", () => {
  const name = fc.stringMatching(/^[a-z-]{3,12}$/);
  fc.assert(
    fc.property(name, fc.nat(), (text, place) => {
      const at = place % text.length;
      assert.equal(nearestName(text.slice(0, at) + text.slice(at + 1), [text]), text);
    }),
  );
});
