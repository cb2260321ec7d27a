import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import { PageBudget } from "../../src/site/page-budget.ts";

test("PageBudget: up to its bound, and again what was given back", () => {
  const budget = new PageBudget(bytes(10));
  assert.equal(budget.take(4), true);
  assert.equal(budget.take(6), true);
  assert.equal(budget.take(1), false);
  assert.equal(budget.take(0), true);
  budget.give(4);
  assert.equal(budget.take(5), false);
  assert.equal(budget.take(4), true);
});

test("PageBudget: a page larger than all there is goes alone", () => {
  const budget = new PageBudget(bytes(10));
  assert.equal(budget.take(11), true);
  assert.equal(budget.take(1), false);
  budget.give(11);
  assert.equal(budget.take(1), true);
  assert.equal(budget.take(11), false);
});
