import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attributesOf,
  decideVersion,
  describeGaps,
  FILE_RIGHTS,
  type FreedRight,
  type LandlockAttributes,
  MAY_READ,
  MAY_READ_AND_WRITE,
  MAY_RUN,
  MAY_STORE,
  MAY_STORE_BELOW,
} from "../../src/system/landlock.ts";

const versions: [version: number, fileSystem: number, network: number, scoped: number][] = [
  [0, 0, 0, 0],
  [1, 0x1fff, 0, 0],
  [2, 0x3fff, 0, 0],
  [3, 0x7fff, 0, 0],
  [4, 0x7fff, 3, 0],
  [5, 0xffff, 3, 0],
  [6, 0xffff, 3, 3],
  [7, 0xffff, 3, 3],
  [8, 0xffff, 3, 3],
  [9, 0x1ffff, 3, 3],
  [99, 0x1ffff, 3, 3],
];
for (const [version, fileSystem, network, scoped] of versions) {
  test(`attributesOf: version ${version}`, () => {
    assert.deepEqual(attributesOf(version), { fileSystem, network, scoped });
  });
}

const freed: [version: number, freed: FreedRight[], fileSystem: number, network: number][] = [
  [9, [], 0x1ffff, 3],
  [9, ["connect-tcp"], 0x1ffff, 1],
  [9, ["connect-unix"], 0xffff, 3],
  [9, ["connect-tcp", "connect-unix"], 0xffff, 1],
  [7, ["connect-tcp", "connect-unix"], 0xffff, 1],
  [3, ["connect-tcp", "connect-unix"], 0x7fff, 0],
  [0, ["connect-tcp", "connect-unix"], 0, 0],
];
for (const [version, rights, fileSystem, network] of freed) {
  test(`attributesOf: version ${version} with ${rights.join(" and ") || "nothing"} freed`, () => {
    const { scoped } = attributesOf(version);
    assert.deepEqual(attributesOf(version, rights), { fileSystem, network, scoped });
  });
}

test("what is granted is handled by every version: the kernel takes no other rules", () => {
  for (const access of [MAY_READ, MAY_RUN, MAY_READ_AND_WRITE, MAY_STORE, MAY_STORE_BELOW]) {
    assert.equal(access & ~attributesOf(1).fileSystem, 0);
  }
});

test("reading rights let nothing be written, made or removed", () => {
  const execute = 1;
  assert.equal(MAY_READ & FILE_RIGHTS & ~execute, 1 << 2);
  assert.equal(MAY_RUN & ~MAY_READ, execute);
});

const kernels: [name: string, told: number, accepts: (attributes: LandlockAttributes) => boolean, want: number][] = [
  ["one that takes what it says", 7, () => true, 7],
  ["one without", 0, () => assert.fail("nothing to ask"), 0],
  ["one that lacks a part of its version", 6, ({ scoped }) => scoped === 0, 5],
  ["one that knows more than this program", 12, ({ fileSystem }) => fileSystem <= 0x1ffff, 12],
  ["one that takes nothing", 3, () => false, 0],
];
for (const [name, told, accepts, want] of kernels) {
  test(`decideVersion: ${name}`, () => assert.equal(decideVersion(told, accepts), want));
}

test("describeGaps: the later the version, the fewer", () => {
  assert.deepEqual(describeGaps(2), ["truncating files", "TCP connections", "signals"]);
  assert.deepEqual(describeGaps(3), ["TCP connections", "signals"]);
  assert.deepEqual(describeGaps(5), ["signals"]);
  assert.deepEqual(describeGaps(6), []);
});
