import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import { LimitReport } from "../../src/connection/limit-report.ts";
import { MemoryEvents } from "../support/memory-events.ts";

const SECOND = 1000;

class Fixture {
  readonly events = new MemoryEvents();
  readonly report = new LimitReport("max-connections", this.events);
  #now = milliseconds(0);

  refuse(count: number): void {
    for (let index = 0; index < count; index += 1) this.report.refused("all 3 connections are open", this.#now);
  }

  /** In steps, as the sweep does. */
  pass(seconds: number): void {
    for (let step = 0; step < seconds; step += 1) {
      this.#now = milliseconds(this.#now + SECOND);
      this.report.sweep(this.#now);
    }
  }
}

const BEGIN = "warn: all 3 connections are open (max-connections): answering further ones 503";

test("LimitReport: short refusals have two lines, however many connections there were", () => {
  const fixture = new Fixture();
  fixture.refuse(500);
  fixture.pass(9);
  fixture.refuse(1);
  fixture.pass(9);
  assert.deepEqual(fixture.events.take(), [BEGIN]);
  assert.equal(fixture.report.isCalm, false);
  fixture.pass(1);
  const end = "info: max-connections: connections are accepted again; answered 503 meanwhile: 501";
  assert.deepEqual(fixture.events.take(), [end]);
  assert.equal(fixture.report.isCalm, true);
  fixture.pass(100);
  assert.deepEqual(fixture.events.take(), []);
  fixture.refuse(1);
  assert.deepEqual(fixture.events.take(), [BEGIN]);
});

test("LimitReport: refusals that last have a line each minute, with the number of that minute", () => {
  const fixture = new Fixture();
  for (let second = 0; second < 125; second += 1) {
    fixture.refuse(2);
    fixture.pass(1);
  }
  const minute = "warn: max-connections: 120 connections answered 503 in the last minute";
  assert.deepEqual(fixture.events.take(), [BEGIN, minute, minute]);
  fixture.pass(10);
  const end = "info: max-connections: connections are accepted again; answered 503 meanwhile: 250";
  assert.deepEqual(fixture.events.take(), [end]);
});
