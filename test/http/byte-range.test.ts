import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import {
  type ByteRange,
  decideRanges,
  formatContentRange,
  formatUnsatisfiedRange,
  MAX_RANGES,
  type RangeDecision,
} from "../../src/http/byte-range.ts";

const range = (start: number, end: number): ByteRange => ({ start: bytes(start), end: bytes(end) });
const part = (start: number, end: number): RangeDecision => ({ kind: "part", ...range(start, end) });
const parts = (...ranges: ByteRange[]): RangeDecision => ({ kind: "parts", ranges });
const whole: RangeDecision = { kind: "whole" };
const unsatisfiable: RangeDecision = { kind: "unsatisfiable" };

const NINES = "9".repeat(30);
const everySecond = (count: number) => Array.from({ length: count }, (_, at) => range(2 * at, 2 * at + 1));
const asField = (ranges: readonly ByteRange[]) => `bytes=${ranges.map((r) => `${r.start}-${r.end - 1}`).join(",")}`;

const cases: [name: string, field: string | undefined, size: number, want: RangeDecision][] = [
  ["no field", undefined, 10, whole],
  ["first five bytes", "bytes=0-4", 10, part(0, 5)],
  ["one byte", "bytes=9-9", 10, part(9, 10)],
  ["from a position on", "bytes=4-", 10, part(4, 10)],
  ["last three bytes", "bytes=-3", 10, part(7, 10)],
  ["more last bytes than there are", "bytes=-11", 10, part(0, 10)],
  ["all of it is still a part", "bytes=0-", 10, part(0, 10)],
  ["end beyond the file", "bytes=8-99", 10, part(8, 10)],
  ["start beyond the file", "bytes=10-", 10, unsatisfiable],
  ["no last bytes", "bytes=-0", 10, unsatisfiable],
  ["unit in upper case", "BYTES=0-4", 10, part(0, 5)],
  ["leading zeros", "bytes=000-0004", 10, part(0, 5)],

  ["last position of 30 digits", `bytes=5-${NINES}`, 10, part(5, 10)],
  ["first position of 30 digits", `bytes=${NINES}-`, 10, unsatisfiable],
  ["suffix of 30 digits", `bytes=-${NINES}`, 10, part(0, 10)],
  ["30 digits, the last below the first", `bytes=${NINES}-${NINES.slice(1)}8`, 10, whole],
  ["30 digits, differing in the last one alone", `bytes=${NINES}-${NINES.slice(1)}9`, 10, unsatisfiable],
  ["a file of the largest exact size", `bytes=-1`, Number.MAX_SAFE_INTEGER, part(2 ** 53 - 2, 2 ** 53 - 1)],

  ["unknown unit", "lines=1-2", 10, whole],
  ["no unit", "0-4", 10, whole],
  ["blank before the equals sign", "bytes =0-4", 10, whole],
  ["nothing after it", "bytes=", 10, whole],
  ["commas alone", "bytes=,,", 10, whole],
  ["a dash alone", "bytes=-", 10, whole],
  ["last below first", "bytes=4-3", 10, whole],
  ["no dash", "bytes=4", 10, whole],
  ["blanks around the dash", "bytes=0 - 4", 10, whole],
  ["a sign", "bytes=+0-4", 10, whole],
  ["two dashes", "bytes=--4", 10, whole],
  ["hexadecimal", "bytes=0x0-4", 10, whole],
  ["a fraction", "bytes=0.0-4", 10, whole],
  ["digits that are not ASCII", "bytes=٠-٤", 10, whole],
  ["semicolon for a comma", "bytes=0-1;4-5", 10, whole],

  ["two parts", "bytes=0-1,4-5", 10, parts(range(0, 2), range(4, 6))],
  ["blanks and empty members", "bytes= ,0-1 ,\t4-5,", 10, parts(range(0, 2), range(4, 6))],
  ["the order asked for is kept", "bytes=8-,0-1", 10, parts(range(8, 10), range(0, 2))],
  ["parts that touch stay two", "bytes=0-4,5-9", 10, parts(range(0, 5), range(5, 10))],
  ["overlapping parts become one", "bytes=0-4,4-9", 10, part(0, 10)],
  ["one inside the other", "bytes=2-3,0-8", 10, part(0, 9)],
  ["the same twice", "bytes=2-3,2-3", 10, part(2, 4)],
  ["a chain of overlaps", "bytes=4-6,0-2,2-4", 10, part(0, 7)],
  ["a joined part stands where its first member stood", "bytes=6-7,0-1,7-8", 10, parts(range(6, 9), range(0, 2))],
  ["what is outside is left out", "bytes=0-1,20-,-2", 10, parts(range(0, 2), range(8, 10))],
  ["one of two is outside", "bytes=20-,0-1", 10, part(0, 2)],
  ["all are outside", "bytes=20-,10-11,-0", 10, unsatisfiable],
  ["one bad member spoils the list", "bytes=0-1,4-3", 10, whole],
  ["one bad member spoils it also when others are outside", "bytes=20-,x", 10, whole],

  ["as many parts as zckdl asks for", asField(everySecond(255)), 1000, parts(...everySecond(255))],
  ["as many parts as allowed", asField(everySecond(MAX_RANGES)), 1000, parts(...everySecond(MAX_RANGES))],
  ["one part more", asField(everySecond(MAX_RANGES + 1)), 1000, whole],
  [
    "overlaps are joined before they are counted",
    `bytes=${"0-4,".repeat(500)}9-9`,
    10,
    parts(range(0, 5), range(9, 10)),
  ],

  ["empty file, from the start", "bytes=0-", 0, whole],
  ["empty file, first byte", "bytes=0-0", 0, whole],
  ["empty file, a later byte", "bytes=7-9", 0, whole],
  ["empty file, last bytes", "bytes=-5", 0, whole],
  ["empty file, no last bytes", "bytes=-0", 0, whole],
  ["empty file, one of two", "bytes=0-,-1", 0, whole],
];
for (const [name, field, size, want] of cases) {
  test(`decideRanges: ${name}`, () => assert.deepEqual(decideRanges(field, bytes(size)), want));
}

test("formatContentRange: the last position is inclusive", () => {
  assert.equal(formatContentRange(range(2, 5), bytes(10)), "bytes 2-4/10");
});

test("formatUnsatisfiedRange: names the size", () => assert.equal(formatUnsatisfiedRange(bytes(0)), "bytes */0"));

const position = fc.nat(40).map(String);
const spec = fc.oneof(
  fc.tuple(fc.nat(40), fc.nat(40)).map(([first, more]) => `${first}-${first + more}`),
  position.map((first) => `${first}-`),
  position.map((length) => `-${length}`),
);
const goodField = fc.array(spec, { minLength: 1, maxLength: 24 }).map((specs) => `bytes=${specs.join(",")}`);
const badField = fc
  .string({ unit: fc.constantFrom("0", "1", "9", "-", ",", " ", "\t", "x", "=") })
  .map((text) => `bytes=${text}`);

test("decideRanges never throws", () => {
  const fields = fc.oneof(goodField, badField, fc.string());
  fc.assert(
    fc.property(fields, fc.nat(40), (field, size) => assert.doesNotThrow(() => decideRanges(field, bytes(size)))),
  );
});

/** Which bytes the field names, one by one: an independent reading of a well-formed field. */
function wantedBytes(field: string, size: number): ReadonlySet<number> {
  const wanted = new Set<number>();
  for (const member of field.slice("bytes=".length).split(",")) {
    const [first = "", last = ""] = member.split("-");
    for (let at = 0; at < size; at++) {
      const isWanted =
        first === "" ? at >= size - Number(last) : at >= Number(first) && (last === "" || at <= Number(last));
      if (isWanted) wanted.add(at);
    }
  }
  return wanted;
}

test("decideRanges gives exactly the bytes asked for, each once", () => {
  fc.assert(
    fc.property(goodField, fc.integer({ min: 1, max: 40 }), (field, size) => {
      const decision = decideRanges(field, bytes(size));
      if (decision.kind === "whole") return;
      const ranges = decision.kind === "parts" ? decision.ranges : decision.kind === "part" ? [decision] : [];
      const sent = ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at));
      assert.deepEqual(
        [...sent].sort((a, b) => a - b),
        [...wantedBytes(field, size)].sort((a, b) => a - b),
      );
      assert.ok(ranges.every(({ start, end }) => 0 <= start && start < end && end <= size));
      assert.ok(ranges.length <= MAX_RANGES);
    }),
  );
});

test("ranges that tile a file, formatted and read again, give the file", () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: MAX_RANGES - 1 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 100, maxLength: 100 }), cuts, (file, places) => {
      const bounds = [0, ...places.sort((a, b) => a - b), file.length];
      const tiles = bounds.slice(1).map((end, at) => range(bounds[at] ?? 0, end));
      const decision = decideRanges(asField(tiles), bytes(file.length));
      const ranges = decision.kind === "parts" ? decision.ranges : decision.kind === "part" ? [decision] : [];
      assert.deepEqual(
        ranges.flatMap(({ start, end }) => [...file.subarray(start, end)]),
        [...file],
      );
    }),
  );
});
