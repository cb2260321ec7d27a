import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool } from "../../src/connection/buffer-pool.ts";

const KIB = 1024;

const sizes: [name: string, lent: number, want: number][] = [
  ["the first transfer", 0, 1024 * KIB],
  ["the last of the few", 15, 1024 * KIB],
  ["some", 16, 256 * KIB],
  ["many", 128, 64 * KIB],
  ["very many", 1024, 16 * KIB],
  ["ten thousand", 10_000, 16 * KIB],
];
for (const [name, lent, want] of sizes) {
  test(`BufferPool: the size for ${name}`, () => {
    const pool = new BufferPool();
    for (let i = 0; i < lent; i += 1) pool.take();
    assert.equal(pool.take().length, want);
  });
}

test("BufferPool: a buffer given back is lent again, and to one at a time", () => {
  const pool = new BufferPool();
  const first = pool.take();
  const second = pool.take();
  assert.notEqual(first, second);
  pool.give(first);
  assert.equal(pool.take(), first);
  assert.notEqual(pool.take(), first);
});

test("BufferPool: the size shrinks and grows with the number of transfers under way", () => {
  const pool = new BufferPool();
  const lent = Array.from({ length: 20 }, () => pool.take());
  assert.equal(pool.take().length, 256 * KIB);
  for (const buffer of lent) pool.give(buffer);
  assert.equal(pool.take().length, 1024 * KIB);
});

test("BufferPool: spare buffers are bounded by 16 MiB", () => {
  const pool = new BufferPool();
  const lent = Array.from({ length: 128 }, () => pool.take());
  for (const buffer of lent) pool.give(buffer);
  const again = new Set(Array.from({ length: 128 }, () => pool.take()));
  const kept = lent.filter((buffer) => again.has(buffer)).reduce((sum, buffer) => sum + buffer.length, 0);
  assert.ok(kept > 15 * KIB * KIB && kept <= 16 * KIB * KIB, `kept: ${kept}`);
});
