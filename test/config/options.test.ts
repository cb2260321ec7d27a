import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { ERROR_STATUSES } from "../../src/base/status.ts";
import { allOptions, errorPageOptions, keyOf } from "../../src/config/options.ts";

const folder = absolutePath("/srv");

test("every status that ends in an error page can have a page of its own", () => {
  assert.deepEqual([...errorPageOptions.keys()], ERROR_STATUSES);
});

test("no two options share a key or a letter", () => {
  const letters = allOptions.flatMap(({ option }) => option.short ?? []);
  const own = ["c", "V", "h"];
  assert.equal(new Set(allOptions.map(({ key }) => key)).size, allOptions.length);
  assert.equal(new Set([...letters, ...own]).size, letters.length + own.length);
});

const keys: [property: string, key: string][] = [
  ["port", "port"],
  ["maxTarget", "max-target"],
  ["keepaliveRequests", "keepalive-requests"],
  ["error404", "error-404"],
];
for (const [property, key] of keys) test(`keyOf: ${property}`, () => assert.equal(keyOf(property), key));

for (const isRoot of [true, false]) {
  for (const { key, option } of allOptions) {
    test(`the default of ${key} is a value of its kind${isRoot ? ", as root" : ""}`, () => {
      const value = option.defaultFor({ isRoot, htdocs: folder });
      assert.deepEqual(option.kind.parse(option.kind.format(value), folder), { kind: "value", value });
    });
  }
}

test("every option has a help text of one line, without the last full stop", () => {
  for (const { option } of allOptions) assert.match(option.help, /^[^\n]{10,}[^.\n]$/);
});
