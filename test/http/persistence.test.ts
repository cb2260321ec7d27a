import assert from "node:assert/strict";
import { test } from "node:test";
import { decidePersistence, type Persistence } from "../../src/http/framing.ts";
import { type FieldLine, fakeRequestHead } from "../support/request-head.ts";

const cases: [name: string, version: "1.0" | "1.1", lines: string[], want: Persistence][] = [
  ["1.1 stays open", "1.1", [], "keep"],
  ["1.0 closes", "1.0", [], "close"],
  ["1.1 asks to close", "1.1", ["close"], "close"],
  ["1.1 asks to close in another case", "1.1", ["Close"], "close"],
  ["1.1 asks for keep-alive", "1.1", ["keep-alive"], "keep"],
  ["1.0 asks for keep-alive", "1.0", ["Keep-Alive"], "keep"],
  ["1.0 asks for both", "1.0", ["keep-alive, close"], "close"],
  ["1.1 asks for both", "1.1", ["close, keep-alive"], "close"],
  ["close among others", "1.1", ["TE,\tclose ,upgrade"], "close"],
  ["close on a second line", "1.1", ["TE", "close"], "close"],
  ["keep-alive on a second line", "1.0", ["TE", "keep-alive"], "keep"],
  ["closed is not close", "1.1", ["closed"], "keep"],
  ["not-close is not close", "1.1", ["not-close"], "keep"],
  ["keep-alives is not keep-alive", "1.0", ["keep-alives"], "close"],
  ["an empty value on 1.1", "1.1", [""], "keep"],
  ["empty members", "1.1", [", ,close"], "close"],
];
for (const [name, version, lines, want] of cases) {
  const fields = lines.map((value): FieldLine => ["Connection", value]);
  test(`decidePersistence: ${name}`, () => {
    assert.equal(decidePersistence(fakeRequestHead({ version, fields }), 1, 1000, false), want);
  });
}

const bounds: [name: string, served: number, draining: boolean, want: Persistence][] = [
  ["the first request", 1, false, "keep"],
  ["the last but one", 9, false, "keep"],
  ["the last", 10, false, "close"],
  ["beyond the last", 11, false, "close"],
  ["while the server stops", 1, true, "close"],
];
for (const [name, served, draining, want] of bounds) {
  test(`decidePersistence: ${name}`, () => {
    assert.equal(decidePersistence(fakeRequestHead(), served, 10, draining), want);
  });
}

test("decidePersistence: keep-alive does not outweigh the bound", () => {
  const head = fakeRequestHead({ version: "1.0", fields: [["connection", "keep-alive"]] });
  assert.equal(decidePersistence(head, 10, 10, false), "close");
});
