import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { describeSystemError, describeThrown } from "../../src/observe/thrown.ts";

const phrases: [name: string, thrown: unknown, want: string][] = [
  ["a system error without path", new Error("ENOSPC: no space left on device, write"), "no space left on device"],
  ["one with a path", new Error("ENOENT: no such file or directory, open '/a, b'"), "no such file or directory"],
  ["any other error", new Error("listen EADDRINUSE: address in use"), "listen EADDRINUSE: address in use"],
  ["no error at all", "why", "why"],
];
for (const [name, thrown, want] of phrases) {
  test(`describeSystemError: ${name}`, () => assert.equal(describeSystemError(thrown), want));
}

test("describeSystemError: what Node really throws", () => {
  assert.throws(
    () => readFileSync("/"),
    (error) => describeSystemError(error) === "illegal operation on a directory",
  );
});

test("describeThrown: something that is no error", () => assert.equal(describeThrown(undefined), "undefined"));
