import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, unixMilliseconds } from "../../src/base/units.ts";
import { formatEntityTag, isWeakMatch, parseEntityTagList } from "../../src/http/entity-tag.ts";
import type { FileIdentity } from "../../src/http/file-identity.ts";
import { contentEntityTag, fileEntityTag, type TagRule } from "../../src/site/file-tag.ts";

const MODIFIED = 1_700_000_000_001;
const file: FileIdentity = {
  device: 1n,
  inode: 77n,
  size: bytes(1000),
  modifiedNs: BigInt(MODIFIED) * 1_000_000n,
  changedNs: BigInt(MODIFIED) * 1_000_000n,
};
const after = (milliseconds: number) => unixMilliseconds(MODIFIED + milliseconds);
const LATER = after(60_000);
const RULES: readonly TagRule[] = ["exact", "portable"];

for (const rule of RULES) {
  test(`fileEntityTag, ${rule}: strong and the same at any later time`, () => {
    const first = fileEntityTag(file, rule, LATER);
    assert.equal(first.weak, false);
    assert.deepEqual(fileEntityTag(file, rule, after(1_000_000)), first);
  });

  test(`fileEntityTag, ${rule}: the weak tag of a young file is not the tag of a later look`, () => {
    const young = fileEntityTag(file, rule, after(1));
    assert.equal(young.weak, true);
    assert.equal(isWeakMatch(young, fileEntityTag(file, rule, after(2))), false);
    assert.equal(isWeakMatch(young, fileEntityTag(file, rule, LATER)), false);
  });

  test(`fileEntityTag, ${rule}: every tag can be read back, also before 1970, and tells nothing of the file`, () => {
    const times = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(
        times,
        times,
        fc.maxSafeNat(),
        fc.bigInt({ min: 0n, max: 2n ** 64n }),
        (modifiedNs, changedNs, size, inode) => {
          const made = fileEntityTag({ device: 0n, inode, size: bytes(size), modifiedNs, changedNs }, rule, LATER);
          assert.deepEqual(parseEntityTagList(formatEntityTag(made)), { kind: "tags", tags: [made] });
          assert.match(made.opaque, /^[\w-]{22}$/);
        },
      ),
    );
  });
}

const versions: [name: string, other: Partial<FileIdentity>, isAnother: readonly TagRule[]][] = [
  ["a nanosecond later", { modifiedNs: file.modifiedNs + 1n }, ["exact"]],
  ["a second later", { modifiedNs: file.modifiedNs + 1_000_000_000n }, RULES],
  ["changed, and the old time put back", { changedNs: file.changedNs + 1n }, ["exact"]],
  ["a byte longer", { size: bytes(1001) }, RULES],
  ["a copy that kept its time", { inode: 78n, changedNs: file.changedNs + 5_000_000_000n }, ["exact"]],
];
for (const [name, other, isAnother] of versions) {
  test(`fileEntityTag: ${name}: another tag with ${isAnother.join(" and ")} only`, () => {
    const tagsDiffer = (rule: TagRule) =>
      !isWeakMatch(fileEntityTag(file, rule, LATER), fileEntityTag({ ...file, ...other }, rule, LATER));
    assert.deepEqual(RULES.filter(tagsDiffer), isAnother);
  });
}

test("fileEntityTag: portable without a time would be the size alone, so it is exact", () => {
  for (const modifiedNs of [0n, 1_000_000_000n, -5n]) {
    const timeless = { ...file, modifiedNs };
    assert.deepEqual(fileEntityTag(timeless, "portable", LATER), fileEntityTag(timeless, "exact", LATER));
  }
});

test("contentEntityTag: strong, the same for the same bytes, and another for any other", () => {
  const tag = contentEntityTag(Buffer.from("content"));
  assert.equal(tag.weak, false);
  assert.match(tag.opaque, /^7-[0-9a-z]+-[0-9a-z]+$/);
  assert.deepEqual(contentEntityTag(new Uint8Array(Buffer.from("content"))), tag);
  for (const other of ["", "Content", "contenT", "contents", "tentcon"])
    assert.notDeepEqual(contentEntityTag(Buffer.from(other)), tag);
});
