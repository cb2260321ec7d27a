import assert from "node:assert/strict";
import { test } from "node:test";
import { isToken, splitList } from "../../src/http/field-syntax.ts";

const lists: [name: string, value: string, want: string[]][] = [
  ["one member", "close", ["close"]],
  ["several members", "close, TE", ["close", "te"]],
  ["blanks and tabs around members", " \ta\t ,\tb ", ["a", "b"]],
  ["blanks within a member stay", "a b", ["a b"]],
  ["empty members stay", ",a,,", ["", "a", "", ""]],
  ["an empty value is one empty member", "", [""]],
  ["NBSP and VT are not blanks", "\u00a0a,\vb", ["\u00a0a", "\vb"]],
];
for (const [name, value, want] of lists) {
  test(`splitList: ${name}`, () => assert.deepEqual(splitList(value), want));
}

const tokens: [text: string, want: boolean][] = [
  ["chunked", true],
  ["!#$%&'*+-.^_`|~09AZaz", true],
  ["", false],
  ["a b", false],
  ["a;b", false],
  ["a/b", false],
  ['"a"', false],
  ["a\0", false],
  ["\u00e4", false],
  ["\u2028", false],
];
for (const [text, want] of tokens) {
  test(`isToken: ${JSON.stringify(text)} is ${want ? "one" : "none"}`, () => assert.equal(isToken(text), want));
}
