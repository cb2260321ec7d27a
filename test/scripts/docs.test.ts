import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { REASONS } from "../../src/http/reason.ts";

const ROOT = new URL("../../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, ROOT), "utf8");
const exists = (name: string): boolean => existsSync(new URL(name, ROOT));

/** In the root or in `src`. */
const FILE = /(?<![\w./-])[\w-]+(?:\/[\w.-]+)+\.(?:ts|js|html|conf|md)\b/g;

for (const page of ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"]) {
  test(`${page}: every file that it names exists`, () => {
    const missing = (read(page).match(FILE) ?? []).filter((name) => !exists(name) && !exists(`src/${name}`));
    assert.deepEqual(missing, []);
  });
}

test("docs/architecture.md has a row for each folder of src", () => {
  const rows = [...read("docs/architecture.md").matchAll(/^\| `([a-z]+)` \|/gm)].map(([, folder]) => folder);
  const folders = readdirSync(new URL("src/", ROOT), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(rows.sort(), folders.map(({ name }) => name).sort());
});

test("htdocs/http.html explains every reason code, and no other", () => {
  const page = readFileSync(new URL("../../../htdocs/http.html", import.meta.url), "utf8");
  const explained = [...page.matchAll(/<tr id="([a-z0-9-]+)"><th scope="row"><code>\1<\/code>/g)].map(
    ([, code]) => code,
  );
  assert.deepEqual(explained.toSorted(), Object.keys(REASONS).toSorted());
});
