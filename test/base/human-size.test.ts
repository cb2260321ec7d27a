import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatCount, formatExactSize, formatHumanSize } from "../../src/base/human-size.ts";
import { bytes } from "../../src/base/units.ts";

const cases: [name: string, size: number, short: string, exact: string | undefined][] = [
  ["nothing", 0, "0 B", "0 bytes"],
  ["one", 1, "1 B", "1 byte"],
  ["the last in bytes", 1023, "1023 B", "1,023 bytes"],
  ["the first in KiB", 1024, "1.0 KiB", "1,024 bytes"],
  ["a decimal below ten", 1434, "1.4 KiB", "1,434 bytes"],
  ["what rounds to ten has no decimal", 10239, "10 KiB", "10,239 bytes"],
  ["no decimal above ten", 15 * 1024 + 300, "15 KiB", "15,660 bytes"],
  ["what would round to 1024 KiB", 1024 * 1024 - 1, "1.0 MiB", "1,048,575 bytes"],
  ["1023 KiB", 1023 * 1024, "1023 KiB", "1,047,552 bytes"],
  ["megabytes", 891 * 1024 ** 2, "891 MiB", "934,281,216 bytes"],
  ["terabytes", 2.5 * 1024 ** 4, "2.5 TiB", "2,748,779,069,440 bytes"],
  ["beyond the last unit", 5000 * 1024 ** 6, "5000 EiB", undefined],
];
for (const [name, size, short, exact] of cases) {
  test(`formatHumanSize: ${name}`, () => assert.equal(formatHumanSize(bytes(size)), short));
  if (exact !== undefined) {
    test(`formatExactSize: ${name}`, () => assert.equal(formatExactSize(bytes(size)), exact));
  }
}

test("formatCount: commas and nothing else are added", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (count) => assert.equal(formatCount(count), count.toLocaleString("en-US"))));
});

test("formatHumanSize: at most four digits and always a unit", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (size) =>
      assert.match(formatHumanSize(bytes(size)), /^(?:[0-9]\.[0-9]|[0-9]{1,4}) (?:B|[KMGTPE]iB)$/),
    ),
  );
});
