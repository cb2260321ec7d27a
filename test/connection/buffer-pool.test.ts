import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { BufferPool } from "../../src/connection/buffer-pool.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const BUDGET = 32 * MIB;

const wishes: [name: string, most: number, want: number][] = [
  ["one byte", 1, 16 * KIB],
  ["the smallest", 16 * KIB, 16 * KIB],
  ["between two sizes", 16 * KIB + 1, 32 * KIB],
  ["the first piece", 128 * KIB, 128 * KIB],
  ["the largest", MIB, MIB],
  ["more than the largest", 64 * MIB, MIB],
];
for (const [name, most, want] of wishes) {
  test(`BufferPool: the size for ${name}`, () => assert.equal(new BufferPool().take(most).length, want));
}

test("BufferPool: the less is left of the budget, the smaller the buffers, down to the smallest", () => {
  const pool = new BufferPool();
  const sizes = Array.from({ length: 10_000 }, () => pool.take(MIB).length);
  for (const [index, size] of sizes.entries()) assert.ok(index === 0 || size <= (sizes[index - 1] ?? 0), `${index}`);
  assert.equal(sizes[16], MIB);
  assert.equal(sizes[17], 512 * KIB);
  assert.equal(sizes.at(-1), 16 * KIB);
  const beyondSmallest = sizes.filter((size) => size > 16 * KIB).reduce((sum, size) => sum + size, 0);
  assert.ok(beyondSmallest <= BUDGET, `${beyondSmallest}`);
});

test("BufferPool: what is given back counts for the budget again", () => {
  const pool = new BufferPool();
  const lent = Array.from({ length: 20 }, () => pool.take(MIB));
  assert.equal(pool.take(MIB).length, 512 * KIB);
  for (const buffer of lent) pool.give(buffer);
  assert.equal(pool.take(MIB).length, MIB);
});

test("BufferPool: two buffers never share a byte, whether from the slab or beyond it", () => {
  const pool = new BufferPool();
  const lent = Array.from({ length: 4000 }, (_, index) => pool.take(index % 3 === 0 ? MIB : 20 * KIB));
  for (const [index, buffer] of lent.entries()) buffer.fill(index % 251);
  for (const [index, buffer] of lent.entries()) assert.ok(buffer.every((byte) => byte === index % 251));
});

test("BufferPool: the memory goes back to the system after a time without use, and not before", async () => {
  const pool = new BufferPool();
  await rest();
  const before = process.memoryUsage().arrayBuffers;
  const grown = (): number => Math.round((process.memoryUsage().arrayBuffers - before) / MIB);
  const buffer = pool.take(MIB);
  assert.equal(pool.sweep(), true);
  assert.equal(pool.sweep(), true, "one is lent");
  pool.give(buffer);
  pool.give(pool.take(MIB));
  assert.equal(pool.sweep(), true, "one was lent a moment ago");
  assert.equal(grown(), 48);
  assert.equal(pool.sweep(), false);
  await rest();
  assert.equal(grown(), 0);
  assert.equal(pool.take(MIB).length, MIB);
});

/** The port that frees memory closes some turns after its first use. */
async function rest(): Promise<void> {
  const pool = new BufferPool();
  pool.give(pool.take(1));
  for (let sweeps = 0; sweeps < 2; sweeps += 1) pool.sweep();
  for (let turns = 0; turns < 10; turns += 1) await turn();
}

// ---- turns

/** Reads that end when the test says; `begun` are those that have a turn. */
class Reads {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, { end: () => void; fail: (error: Error) => void }>();

  of(name: string) {
    return (): Promise<void> => {
      this.begun.push(name);
      return new Promise((end, fail) => this.#ends.set(name, { end, fail }));
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.end();
    await turn();
  }

  async fail(name: string): Promise<void> {
    this.#ends.get(name)?.fail(new Error("EIO"));
    await turn();
  }
}

test("BufferPool: three reads at a time, the others in the order of their arrival", async () => {
  const pool = new BufferPool();
  const reads = new Reads();
  const names = ["a", "b", "c", "d", "e"];
  const filled = names.map((name) => pool.fill(MIB, reads.of(name)).catch(() => undefined));
  await turn();
  assert.deepEqual(reads.begun, ["a", "b", "c"]);
  await reads.end("b");
  assert.deepEqual(reads.begun, ["a", "b", "c", "d"]);
  await reads.fail("a");
  assert.deepEqual(reads.begun, names);
  for (const name of ["c", "d", "e"]) await reads.end(name);
  const buffers = await Promise.all(filled);
  assert.equal(buffers[0], undefined);
  assert.equal(new Set(buffers).size, 5);
});

test("BufferPool: a transfer that waits for its client keeps its buffer and nobody's turn", async () => {
  const pool = new BufferPool();
  for (let kept = 0; kept < 10; kept += 1) assert.ok((await pool.fill(MIB, async () => {})).length > 0);
});

test("BufferPool: a read that fails gives turn and buffer back", async () => {
  const pool = new BufferPool();
  for (let count = 0; count < 10; count += 1) {
    await assert.rejects(
      pool.fill(MIB, () => Promise.reject(new Error("EIO"))),
      /EIO/,
    );
  }
  const lent = Array.from({ length: 17 }, () => pool.take(MIB).length);
  assert.deepEqual(new Set(lent), new Set([MIB]));
});
