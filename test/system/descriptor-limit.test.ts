import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  connectionsHeld,
  type DescriptorNeed,
  describeShortage,
  parseDescriptorLimit,
  planDescriptorLimit,
  raiseDescriptorLimit,
} from "../../src/system/descriptor-limit.ts";
import { type DescriptorLimit, loadNative, type Native } from "../../src/system/native.ts";
import { NativeError } from "../../src/system/native-call.ts";

const limit = (soft: number, hard = soft): DescriptorLimit => ({ soft, hard });
/** 1000 connections and two threads in each of two processes: 2 * 1000 + 64 + 128 + 8 * 2 descriptors. */
const NEED: DescriptorNeed = { maxConnections: 2000, processes: 2, threads: 4 };
const NEEDED = 2208;

const plans: [name: string, current: DescriptorLimit, ceiling: number, want: DescriptorLimit][] = [
  ["enough stays as it is", limit(5000, 9000), 9000, limit(5000, 9000)],
  ["just enough", limit(NEEDED, 9000), 9000, limit(NEEDED, 9000)],
  ["the soft limit rises as far as needed", limit(1024, 9000), 9000, limit(NEEDED, 9000)],
  ["the soft limit rises as far as it may", limit(1024, 2000), 2000, limit(2000)],
  ["root raises both", limit(1024), 1_048_576, limit(NEEDED)],
  ["root raises both as far as the kernel lets it", limit(1024), 1500, limit(1500)],
  ["a ceiling below the limit lowers nothing", limit(1024, 2000), 500, limit(2000)],
  ["no limit stays none", limit(1024, Infinity), Infinity, limit(NEEDED, Infinity)],
];
for (const [name, current, ceiling, want] of plans) {
  test(`planDescriptorLimit: ${name}`, () => assert.deepEqual(planDescriptorLimit(NEED, current, ceiling), want));
}

test("planDescriptorLimit: nothing is ever lowered, and soft never beyond hard", () => {
  const count = fc.integer({ min: 0, max: 2_000_000 });
  const needs = fc.record({
    maxConnections: fc.integer({ min: 1, max: 1_000_000 }),
    processes: fc.integer({ min: 1, max: 256 }),
    threads: fc.integer({ min: 1, max: 1024 }),
  });
  fc.assert(
    fc.property(needs, count, count, count, (need, soft, more, ceiling) => {
      const current = limit(soft, soft + more);
      const planned = planDescriptorLimit(need, current, ceiling);
      assert.ok(planned.soft >= current.soft && planned.hard >= current.hard && planned.soft <= planned.hard);
      // What is set when the warning is heeded must be free of it.
      const held = Number(/enough for (\d+) /.exec(describeShortage(need, planned) ?? "")?.[1] ?? Number.NaN);
      if (held > 0) {
        assert.ok(held < need.maxConnections);
        assert.equal(describeShortage({ ...need, maxConnections: held }, planned), undefined);
      }
    }),
  );
});

const shortages: [name: string, soft: number, want: string | undefined][] = [
  ["enough", NEEDED, undefined],
  ["no limit", Infinity, undefined],
  [
    "one descriptor short",
    NEEDED - 1,
    "max-connections = 2000 needs more file descriptors than the limit of 2207 per process allows: enough for 1998 connections. Raise LimitNOFILE= in the unit (ulimit -n) or set max-connections = 1998",
  ],
  [
    "not even one",
    200,
    "max-connections = 2000 needs more file descriptors than the limit of 200 per process allows: enough for 0 connections. Raise LimitNOFILE= in the unit (ulimit -n) or lower workers",
  ],
];
for (const [name, soft, want] of shortages) {
  test(`describeShortage: ${name}`, () => assert.equal(describeShortage(NEED, limit(soft)), want));
}

test("describeShortage: without threads there are none to be lowered", () => {
  assert.match(
    describeShortage({ ...NEED, threads: 0 }, limit(100)) ?? "",
    /Raise LimitNOFILE= in the unit \([^)]*\)$/,
  );
});

const line = (soft: string, hard: string): string =>
  `Max processes             63432                63432                processes \nMax open files            ${soft.padEnd(20)} ${hard.padEnd(20)} files     \n`;
const texts: [name: string, text: string, want: DescriptorLimit | undefined][] = [
  ["two numbers", line("1024", "524288"), limit(1024, 524_288)],
  ["no hard limit", line("1024", "unlimited"), limit(1024, Infinity)],
  ["nothing of it", "Max processes  1 2 processes\n", undefined],
  ["no text", "", undefined],
];
for (const [name, text, want] of texts) {
  test(`parseDescriptorLimit: ${name}`, () => assert.deepEqual(parseDescriptorLimit(text), want));
}

function fakeNative(current: DescriptorLimit, mayRaise: boolean): { native: Native; set: readonly DescriptorLimit[] } {
  const set: DescriptorLimit[] = [];
  const native = {
    descriptorLimit: () => current,
    setDescriptorLimit(wanted: DescriptorLimit) {
      if (!mayRaise) throw new NativeError("setrlimit", "EPERM");
      set.push(wanted);
    },
  } as unknown as Native;
  return { native, set };
}

test("raiseDescriptorLimit: raises a soft limit that is too low, and has nothing to warn of", () => {
  const { native, set } = fakeNative(limit(1024, 524_288), true);
  assert.equal(raiseDescriptorLimit(NEED, native), undefined);
  assert.deepEqual(set, [limit(NEEDED, 524_288)]);
});

test("raiseDescriptorLimit: warns of the limit that holds when raising is refused", () => {
  const { native } = fakeNative(limit(1024, 524_288), false);
  assert.match(
    raiseDescriptorLimit(NEED, native) ?? "",
    /the limit of 1024 per process allows: enough for 816 connections/,
  );
});

test("raiseDescriptorLimit: without koffi it looks at the limit that this process has", async () => {
  assert.equal(raiseDescriptorLimit({ maxConnections: 1, processes: 1, threads: 1 }, undefined), undefined);
  const tooMany = { maxConnections: 1e9, processes: 1, threads: 1 };
  const warning = raiseDescriptorLimit(tooMany, undefined) ?? "";
  const loaded = await loadNative();
  if (loaded.kind === "native") {
    assert.ok(warning.includes(`the limit of ${loaded.native.descriptorLimit().soft} per process `), warning);
  }
  assert.match(warning, /^max-connections = 1000000000 needs more file descriptors than the limit of \d+ per process/);
});

const held: [name: string, soft: number, open: number, threads: number, want: number][] = [
  ["each connection may read a file", 1000, 20, 0, 450],
  ["threads that are still to start need some", 1000, 20, 10, 410],
  ["one at least", 60, 20, 10, 1],
];
for (const [name, soft, open, threads, want] of held) {
  test(`connectionsHeld: ${name}`, () => assert.equal(connectionsHeld({ soft, hard: soft }, open, threads), want));
}
