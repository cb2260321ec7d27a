import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unixMilliseconds } from "../../src/base/units.ts";
import {
  formatTemporaryName,
  formatUploadName,
  isTemporaryName,
  isUploadName,
  parseTemporaryName,
} from "../../src/base/upload-name.ts";

test("formatUploadName: local time, every part with all its digits", () => {
  const receivedAt = unixMilliseconds(new Date(2024, 2, 5, 1, 2, 3, 999).getTime());
  assert.equal(formatUploadName(receivedAt, "a7b9"), "upload_20240305_010203_a7b9.json");
});

const HEX = fc.stringMatching(/^[0-9a-f]{1,16}$/);

test("a name that was made is known again, and is of one kind", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date(9999, 0, 1), noInvalidDate: true }), HEX, (time, suffix) => {
      const name = formatUploadName(unixMilliseconds(time.getTime()), suffix);
      assert.ok(isUploadName(name) && !isTemporaryName(name));
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 22 }), HEX, (pid, random) => {
      const name = formatTemporaryName(pid, random);
      assert.deepEqual(parseTemporaryName(name), { pid });
      assert.ok(isTemporaryName(name) && !isUploadName(name));
    }),
  );
});

const others: [name: string, text: string][] = [
  ["no process", ".upload--ab.part"],
  ["process 0", ".upload-0-ab.part"],
  ["a process with a sign", ".upload--1-ab.part"],
  ["no dot in front", "upload-1-ab.part"],
  ["something in front", "x.upload-1-ab.part"],
  ["something behind", ".upload-1-ab.part.json"],
  ["a line behind", ".upload-1-ab.part\n"],
  ["upper case", ".upload-1-AB.part"],
  ["a stored one without its time", "upload_20240305_a7b9.json"],
  ["a stored one with a folder", "uploads/upload_20240305_010203_a7b9.json"],
  ["a stored one with more behind", "upload_20240305_010203_a7b9.json~"],
];
for (const [name, text] of others) {
  test(`neither a temporary name nor that of an upload: ${name}`, () => {
    assert.equal(parseTemporaryName(text), undefined);
    assert.deepEqual([isTemporaryName(text), isUploadName(text)], [false, false]);
  });
}
