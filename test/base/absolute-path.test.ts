import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath, contains, isAllowedPlace, pathBelow, type SymlinkRule } from "../../src/base/absolute-path.ts";

const containment: [name: string, root: string, path: string, want: boolean][] = [
  ["the root itself", "/srv/root", "/srv/root", true],
  ["below", "/srv/root", "/srv/root/a/b", true],
  ["a sibling that begins with the same letters", "/srv/root", "/srv/root-secret/a", false],
  ["above", "/srv/root", "/srv", false],
  ["everything is below /", "/", "/etc/passwd", true],
  ["/ is below /", "/", "/", true],
  ["what the kernel cannot reach from here", "/", "(unreachable)/a", false],
  ["what is no path at all", "/", "pipe:[1]", false],
];
for (const [name, root, path, want] of containment) {
  test(`contains: ${name}`, () => assert.equal(contains(absolutePath(root), path), want));
}

const places: [name: string, rule: SymlinkRule, path: string, place: string, want: boolean][] = [
  ["inside: no link", "inside", "/r/a", "/r/a", true],
  ["inside: a link that stays inside", "inside", "/r/a", "/r/b", true],
  ["inside: a link to the outside", "inside", "/r/a", "/s/a", false],
  ["never: no link", "never", "/r/a", "/r/a", true],
  ["never: a link that stays inside", "never", "/r/a", "/r/b", false],
  ["never: a place that reads like the path, but may be another", "never", "/r/\uFFFD", "/r/\uFFFD", false],
  ["anywhere: a link to the outside", "anywhere", "/r/a", "/s/a", true],
];
for (const [name, rule, path, place, want] of places) {
  test(`isAllowedPlace: ${name}`, () => {
    assert.equal(isAllowedPlace(rule, absolutePath("/r"), absolutePath(path), place), want);
  });
}

test("pathBelow: joins with exactly one slash", () => {
  assert.equal(pathBelow(absolutePath("/"), "a/b"), "/a/b");
  assert.equal(pathBelow(absolutePath("/srv/"), "a"), "/srv/a");
  assert.equal(pathBelow(absolutePath("/srv"), "a"), "/srv/a");
  assert.equal(pathBelow(absolutePath("/srv"), ""), "/srv");
});
