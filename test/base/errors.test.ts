import assert from "node:assert/strict";
import { test } from "node:test";
import { type StorageFailure, storageFailureOf } from "../../src/base/errors.ts";

const codes: [code: string | undefined, want: StorageFailure | undefined][] = [
  ["ENOSPC", "no-space"],
  ["EDQUOT", "no-space"],
  ["EACCES", "unavailable"],
  ["EROFS", "unavailable"],
  ["ENOENT", "unavailable"],
  ["EMFILE", "unavailable"],
  ["EIO", "unavailable"],
  ["ERR_INVALID_ARG_TYPE", undefined],
  ["", undefined],
  [undefined, undefined],
];
for (const [code, want] of codes) {
  test(`storageFailureOf: ${code ?? "an error without a code"}`, () => {
    assert.equal(storageFailureOf(Object.assign(new Error("x"), { code })), want);
  });
}

test("storageFailureOf: what is no error", () => {
  assert.equal(storageFailureOf("ENOSPC"), undefined);
});
