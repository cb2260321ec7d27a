import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { type TestContext, test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import type { OpenSource } from "../../src/http/response-plan.ts";
import { readWhole } from "../../src/site/read-whole.ts";
import { makeTree } from "../support/file-tree.ts";
import { openSource } from "../support/open-source.ts";

const LIMIT = bytes(100_000);

function openAt(t: TestContext, path: string, isSettled = true): OpenSource {
  const descriptor = openSync(path, "r");
  t.after(() => closeSync(descriptor));
  return openSource(descriptor, isSettled);
}

function contentOf(source: OpenSource): string {
  const whole = readWhole(source, LIMIT);
  return whole.kind === "read" ? Buffer.from(whole.bytes).toString() : whole.kind;
}

const changes: [name: string, change: (path: string) => void, want: string][] = [
  ["unchanged", () => {}, "0123456789"],
  ["unchanged, but without its name", (path) => rmSync(path), "0123456789"],
  ["truncated", (path) => truncateSync(path, 4), "changed"],
  ["emptied", (path) => truncateSync(path, 0), "changed"],
  ["grown", (path) => writeFileSync(path, "x", { flag: "a" }), "0123456789"],
  ["touched", (path) => utimesSync(path, 2, 2), "0123456789"],
];
for (const [name, change, want] of changes) {
  for (const isSettled of [true, false]) {
    test(`readWhole: a file that is ${name} after it was opened, its times ${isSettled ? "" : "not "}settled`, (t) => {
      const path = `${makeTree(t, { f: "0123456789" })}/f`;
      utimesSync(path, 1, 1);
      const source = openAt(t, path, isSettled);
      change(path);
      assert.equal(contentOf(source), want);
    });
  }
}

test("readWhole: an empty file, one that has content by now, and one of many reads' length", (t) => {
  const large = "0123456789abcdef".repeat(1 << 18);
  const top = makeTree(t, { empty: "", grown: "", large });
  assert.deepEqual(readWhole(openAt(t, `${top}/empty`), LIMIT), {
    kind: "read",
    bytes: Buffer.alloc(0),
    isSizeTrue: true,
  });
  assert.ok(contentOf(openAt(t, `${top}/large`)) === large);
  const grown = openAt(t, `${top}/grown`);
  writeFileSync(`${top}/grown`, "more");
  assert.equal(contentOf(grown), "changed");
});

// ---- sizes that lie

const SYSFS_FILE = "/sys/kernel/mm/transparent_hugepage/enabled";
const noSysfs = existsSync(SYSFS_FILE) ? false : `no ${SYSFS_FILE}`;

test("readWhole: sysfs says 4096 for a few bytes", { skip: noSysfs }, (t) => {
  const source = openAt(t, SYSFS_FILE);
  assert.equal(source.identity.size, 4096);
  const whole = readWhole(source, LIMIT);
  assert.ok(whole.kind === "read");
  assert.deepEqual([Buffer.from(whole.bytes).toString(), whole.isSizeTrue], [readFileSync(SYSFS_FILE, "utf8"), false]);
});

test("readWhole: /proc says 0 for any content, up to the limit", (t) => {
  const path = `/proc/${process.pid}/maps`;
  const source = openAt(t, path);
  assert.equal(fstatSync(source.descriptor).size, 0);
  const whole = readWhole(source, bytes(10_000_000));
  assert.ok(whole.kind === "read" && !whole.isSizeTrue);
  assert.ok(whole.bytes.length > 4096);
  assert.match(Buffer.from(whole.bytes).toString(), /^[0-9a-f]+-[0-9a-f]+ .*\n$/s);
  assert.deepEqual(readWhole(openAt(t, path), bytes(1000)), { kind: "endless" });
});

test("readWhole: a file system that fails", (t) => {
  // Reading at the address 0 of a process is an input/output error.
  assert.throws(() => readWhole(openAt(t, "/proc/self/mem"), LIMIT), { code: "EIO" });
});
