import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusalReport } from "../../src/observe/refusal-report.ts";
import { HandClock } from "../support/served-site.ts";

const PER_SECOND = 10;

function makeReport(): { clock: HandClock; said: string[]; add: (count: number, text?: string) => void } {
  const clock = new HandClock();
  const said: string[] = [];
  const report = new RefusalReport(clock, (text) => said.push(text));
  const add = (count: number, text = "r") => {
    for (let i = 0; i < count; i += 1) report.add(text);
  };
  return { clock, said, add };
}

test("each of a few is said", () => {
  const { said, add } = makeReport();
  add(1, "one");
  add(1, "two");
  assert.deepEqual(said, ["one", "two"]);
});

test("of a flood in one second ten are said", () => {
  const { said, add } = makeReport();
  add(1000);
  assert.equal(said.length, PER_SECOND);
});

test("with the first of a later second comes the number of those that were not said", () => {
  const { clock, said, add } = makeReport();
  add(PER_SECOND + 7);
  clock.time += 60_000;
  add(1, "later");
  assert.deepEqual(said.slice(PER_SECOND), ["7 more refusals like these within that second", "later"]);
});

test("where all were said there is nothing more to say", () => {
  const { clock, said, add } = makeReport();
  add(PER_SECOND);
  clock.time += 1000;
  add(1, "later");
  assert.deepEqual(said.slice(PER_SECOND), ["later"]);
});

test("a flood that goes on says ten in each second", () => {
  const { clock, said, add } = makeReport();
  for (let second = 0; second < 5; second += 1) {
    add(100, `second ${second}`);
    clock.time += 1000;
  }
  for (let second = 0; second < 5; second += 1) {
    assert.equal(said.filter((text) => text === `second ${second}`).length, PER_SECOND);
  }
  assert.equal(said.filter((text) => text.startsWith("90 more")).length, 4);
});

test("a clock that is set back begins a new second", () => {
  const { clock, said, add } = makeReport();
  add(20);
  clock.time -= 3_600_000;
  add(1, "earlier");
  assert.equal(said.at(-1), "earlier");
});
