import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResidentMemory, readResidentMemory } from "../../src/control/resident-memory.ts";

const rows: [name: string, text: string, want: number | undefined][] = [
  ["among other lines", "Name:\tnode\nVmHWM:\t  70000 kB\nVmRSS:\t   65536 kB\nRssAnon:\t 1 kB\n", 64 * 2 ** 20],
  ["a process that has ended has none", "Name:\tnode\nState:\tZ (zombie)\n", undefined],
  ["a name that looks like it", "Name:\tVmRSS: 1 kB\n", undefined],
  ["no number", "VmRSS:\tmuch kB\n", undefined],
];
for (const [name, text, want] of rows) {
  test(`parseResidentMemory: ${name}`, () => assert.equal(parseResidentMemory(text), want));
}

test("readResidentMemory: this process has more than a megabyte, and one that is not there has none", () => {
  assert.ok((readResidentMemory(process.pid) ?? 0) > 2 ** 20);
  assert.equal(readResidentMemory(2 ** 30), undefined);
});
