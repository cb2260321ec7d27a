import assert from "node:assert/strict";
import { truncateSync, utimesSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { nodeStat } from "../../src/site/file-stamp.ts";
import { loadNative } from "../../src/system/native.ts";
import { parseDirectoryNames, parseFileStat, parseStatx, STATX_BYTES } from "../../src/system/native-files.ts";
import { DIRECTORY, linkTo, makeTree } from "../support/file-tree.ts";

/** One struct linux_dirent64, as long as the kernel makes it: a multiple of eight. */
function record(name: Buffer, type = 8): Buffer {
  const length = Math.ceil((19 + name.length + 1) / 8) * 8;
  // What lies behind the name's end is whatever was there before.
  const bytes = Buffer.alloc(length, 0xaa);
  bytes.writeUInt16LE(length, 16);
  bytes.writeUInt8(type, 18);
  name.copy(bytes, 19);
  bytes.writeUInt8(0, 19 + name.length);
  return bytes;
}

const names: [name: string, entries: readonly Buffer[], want: readonly string[]][] = [
  ["none at the end of a directory", [], []],
  ["the directory itself and its parent are left out", ["..", "a", "."].map((text) => Buffer.from(text)), ["a"]],
  [
    "names that only begin like those stay",
    ["...", ".a", "..b"].map((text) => Buffer.from(text)),
    ["...", ".a", "..b"],
  ],
  ["a name whose end is the end of its record", [Buffer.from("abcd")], ["abcd"]],
  ["each byte is one character", [Buffer.from([0xff, 0x0a, 0xc3, 0xa9])], ["\xff\n\xc3\xa9"]],
  ["255 bytes", [Buffer.alloc(255, 0xe9)], ["\xe9".repeat(255)]],
];
for (const [name, entries, want] of names) {
  test(`parseDirectoryNames: ${name}`, () => {
    assert.deepEqual(parseDirectoryNames(Buffer.concat(entries.map((entry) => record(entry)))), want);
  });
}

const octet = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f);
const anyName = fc.array(octet, { minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes));

test("parseDirectoryNames: whatever was written down is read, in its order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyName, fc.nat(255))), (entries) => {
      const written = Buffer.concat(entries.map(([name, type]) => record(name, type)));
      const want = entries.map(([name]) => name.toString("latin1")).filter((name) => name !== "." && name !== "..");
      assert.deepEqual(parseDirectoryNames(written), want);
    }),
  );
});

test("parseDirectoryNames: records that are cut anywhere but between two are refused", () => {
  const [first, second] = [record(Buffer.from("first")), record(Buffer.from("the second"))];
  const written = Buffer.concat([first, second]);
  for (let length = 1; length < written.length; length += 1) {
    const parse = () => parseDirectoryNames(written.subarray(0, length));
    if (length === first.length) assert.deepEqual(parse(), ["first"]);
    else assert.throws(parse, /^Error: no directory entry at byte/, `${length} bytes`);
  }
});

test("parseDirectoryNames: whatever the bytes, it comes to an end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const found = parseDirectoryNames(Buffer.from(bytes));
        assert.ok(found.join("").length <= bytes.length);
      } catch (error) {
        assert.match(String(error), /^Error: no directory entry at byte/);
      }
    }),
  );
});

function statx(mode: number, size: bigint, wholeSeconds: bigint, nanoseconds: number): Buffer {
  // Every field that is not asked for holds something else.
  const bytes = Buffer.alloc(STATX_BYTES, 0xaa);
  bytes.writeUInt16LE(mode, 28);
  bytes.writeBigUInt64LE(size, 40);
  bytes.writeBigInt64LE(wholeSeconds, 112);
  bytes.writeUInt32LE(nanoseconds, 120);
  return bytes;
}

const types: [name: string, mode: number, want: string][] = [
  ["a regular file", 0o100644, "file"],
  ["a directory", 0o040755, "directory"],
  ["a symbolic link", 0o120777, "link"],
  ["a FIFO", 0o010644, "other"],
  ["a character device", 0o020666, "other"],
  ["a block device", 0o060660, "other"],
  ["a socket", 0o140755, "other"],
  ["set-user-ID and the sticky bit do not matter", 0o105755, "file"],
];
for (const [name, mode, want] of types) {
  test(`parseStatx: ${name}`, () => assert.equal(parseStatx(statx(mode, 0n, 0n, 0)).kind, want));
}

const times: [name: string, wholeSeconds: bigint, nanoseconds: number, want: number][] = [
  ["the beginning of 1970", 0n, 0, 0],
  ["milliseconds", 1_700_000_000n, 123_000_000, 1_700_000_000_123],
  ["half a second before 1970", -1n, 500_000_000, -500],
  ["1901, the earliest of 32 bits", -(2n ** 31n), 0, -(2 ** 31) * 1000],
  ["2106, beyond 32 bits", 2n ** 32n, 0, 2 ** 32 * 1000],
];
for (const [name, wholeSeconds, nanoseconds, want] of times) {
  test(`parseStatx: modified: ${name}`, () => {
    assert.equal(parseStatx(statx(0o100644, 0n, wholeSeconds, nanoseconds)).modified, want);
  });
}

test("parseStatx: every size and time a file system can hold", () => {
  const size = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n });
  const wholeSeconds = fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n });
  fc.assert(
    fc.property(size, wholeSeconds, fc.nat(999_999_999), (bytes, time, nanoseconds) => {
      const facts = parseStatx(statx(0o100600, bytes, time, nanoseconds));
      assert.equal(facts.size, Number(bytes));
      assert.equal(facts.modified, Number(time) * 1000 + nanoseconds / 1e6);
    }),
  );
});

const whole = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("parseFileStat: an inode and a size of 64 bits are the nearest number", () => {
  fc.assert(
    fc.property(whole, whole, (inode, size) => {
      const record = statx(0o100600, size, 0n, 0);
      record.writeBigUInt64LE(inode, 32);
      const look = parseFileStat(record);
      assert.deepEqual([look.inode, look.size], [Number(inode), Number(size)]);
    }),
  );
});

test("parseFileStat: a device is packed as fs.Stats has it", () => {
  const cases: [major: number, minor: number, want: bigint][] = [
    [8, 1, 0x801n],
    [259, 255, 0x103ffn],
    [1, 256, 0x100100n],
    [0xfff, 0xfffff, 0xffffffffn],
    [0xffffffff, 0xffffffff, 2n ** 64n - 1n],
  ];
  for (const [major, minor, want] of cases) {
    const record = statx(0o100600, 0n, 0n, 0);
    record.writeUInt32LE(major, 136);
    record.writeUInt32LE(minor, 140);
    assert.equal(parseFileStat(record).device, Number(want), `${major}:${minor}`);
  }
});

const loaded = await loadNative();
const skip = loaded.kind === "missing" && loaded.why;

const ENTRIES = {
  file: "content",
  "größe ✓": "a name that is not ASCII",
  "directory/": DIRECTORY,
  "to-file": linkTo("file"),
  "to-nothing": linkTo("nothing"),
  loop: linkTo("loop"),
  old: "before 1970",
  large: "",
};
const NAMES = [...Object.keys(ENTRIES), "missing", "file/below", "directory/..", "directory/../file", "."];

test("stat: the same as by Node, on every kind of thing a path may lead to", { skip }, (t) => {
  if (loaded.kind === "missing") return;
  const { stat } = loaded.native;
  const top = makeTree(t, ENTRIES);
  utimesSync(`${top}/old`, -1_000_000.5, -1_000_000.123456);
  truncateSync(`${top}/large`, 5_000_000_000);
  const paths = [...NAMES.map((name) => `${top}/${name}`), "/", "/proc/self/exe", "/dev/null", `/${"x".repeat(300)}`];
  for (const path of paths.map(absolutePath)) {
    for (const lastLink of ["follow", "nofollow"] as const) {
      assert.deepEqual(stat(path, lastLink), nodeStat(path, lastLink), `${path}, ${lastLink}`);
    }
  }
});
