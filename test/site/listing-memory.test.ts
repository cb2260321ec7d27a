import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import { ListingMemory } from "../../src/site/listing-memory.ts";

test("ListingMemory: up to its bound, and again what was given back", () => {
  const budget = new ListingMemory(bytes(10));
  assert.equal(budget.reserve(4), true);
  assert.equal(budget.reserve(6), true);
  assert.equal(budget.reserve(1), false);
  assert.equal(budget.reserve(0), true);
  budget.release(4);
  assert.equal(budget.reserve(5), false);
  assert.equal(budget.reserve(4), true);
});

test("ListingMemory: a page larger than all there is goes alone", () => {
  const budget = new ListingMemory(bytes(10));
  assert.equal(budget.reserve(11), true);
  assert.equal(budget.reserve(1), false);
  budget.release(11);
  assert.equal(budget.reserve(1), true);
  assert.equal(budget.reserve(11), false);
});
