import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeHtml } from "../../src/base/html.ts";

const cases: [name: string, text: string, want: string][] = [
  ["plain text stays", "ä plain 😀 text", "ä plain 😀 text"],
  ["a tag", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
  ["both quotes", `"'`, "&quot;&#39;"],
  ["what is escaped already is text, too", "&amp;", "&amp;amp;"],
  ["every occurrence", "<<", "&lt;&lt;"],
];
for (const [name, text, want] of cases) {
  test(`escapeHtml: ${name}`, () => assert.equal(escapeHtml(text), want));
}
