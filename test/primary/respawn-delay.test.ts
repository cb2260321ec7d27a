import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import { countShortLives, decideRespawnDelay, type LifeSpan } from "../../src/primary/respawn-delay.ts";

const life = (served: number, signal?: NodeJS.Signals): LifeSpan => ({ served: milliseconds(served), signal });

const lives: [name: string, life: LifeSpan, want: number][] = [
  ["one that served a second is forgiven all before it", life(1000), 0],
  ["one that ended at once counts", life(10), 6],
  ["one that never was ready counts", life(0), 6],
  ["a crash counts", life(10, "SIGSEGV"), 6],
  ["one that was killed does not", life(10, "SIGKILL"), 5],
  ["but one that was killed before it was ready does: the kernel may have had no memory for it", life(0, "SIGKILL"), 6],
];
for (const [name, span, want] of lives) {
  test(`countShortLives: ${name}`, () => assert.equal(countShortLives(5, span), want));
}

test("decideRespawnDelay: at once at first, then twice as long each time, up to a bound", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 20].map(decideRespawnDelay), [0, 0, 0, 100, 200, 400, 800, 10_000]);
});
