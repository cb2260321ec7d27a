import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { BodyPace } from "../../src/connection/body-pace.ts";

type Step = readonly [at: number, what: "wait" | number];

// A pause of 10 s, and 100 bytes per second.
const cases: [name: string, steps: readonly Step[], at: number, want: string | undefined][] = [
  ["nothing is waited for", [], 1e9, undefined],
  ["a wait just short of body-timeout", [[0, "wait"]], 9_999, undefined],
  ["a wait of body-timeout", [[0, "wait"]], 10_000, "body-timeout"],
  [
    "a second call of wait changes nothing",
    [
      [0, "wait"],
      [9_000, "wait"],
    ],
    10_000,
    "body-timeout",
  ],
  [
    "bytes that nobody waited for count",
    [
      [0, 500],
      [0, "wait"],
      [9_000, 1],
      [9_000, "wait"],
    ],
    15_009,
    undefined,
  ],
  [
    "a pause within the rate",
    [
      [0, "wait"],
      [9_000, 500],
      [9_000, "wait"],
    ],
    14_999,
    undefined,
  ],
  [
    "beyond the rate as a whole",
    [
      [0, "wait"],
      [9_000, 500],
      [9_000, "wait"],
    ],
    15_000,
    "body-too-slow",
  ],
  [
    "time between waits does not count",
    [
      [0, "wait"],
      [9_000, 1],
      [50_000, "wait"],
    ],
    51_009,
    undefined,
  ],
  [
    "time between waits does not count, but all waits do",
    [
      [0, "wait"],
      [9_000, 1],
      [50_000, "wait"],
    ],
    51_010,
    "body-too-slow",
  ],
];
for (const [name, steps, at, want] of cases) {
  test(`BodyPace: ${name}`, () => {
    const pace = new BodyPace({ bodyTimeout: milliseconds(10_000), bodyRate: bytes(100) });
    for (const [time, what] of steps) {
      if (what === "wait") pace.wait(milliseconds(time));
      else pace.receive(what, milliseconds(time));
    }
    assert.equal(pace.faultAt(milliseconds(at)), want);
  });
}

test("BodyPace: a rate of 0 is no limit", () => {
  const pace = new BodyPace({ bodyTimeout: milliseconds(10_000), bodyRate: bytes(0) });
  for (let time = 0; time < 100_000; time += 9_000) {
    pace.wait(milliseconds(time));
    pace.receive(1, milliseconds(time + 9_000));
  }
  pace.wait(milliseconds(200_000));
  assert.equal(pace.faultAt(milliseconds(209_999)), undefined);
});
