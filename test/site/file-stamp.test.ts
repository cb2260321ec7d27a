import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { absolutePath, type SymlinkRule } from "../../src/base/absolute-path.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { type FileStamp, isStillCurrent, nodeStat, type StatFn, wholeSeconds } from "../../src/site/file-stamp.ts";
import { openBelow } from "../../src/site/open-file.ts";
import { loadNative } from "../../src/system/native.ts";
import { DIRECTORY, linkTo, makeTree } from "../support/file-tree.ts";

const PATH = "to-dir/f";

/** Two places with one and the same file: `root/dir/f` and `outside/f` are names of the same inode. */
const ENTRIES = {
  "v1/dir/f": "content",
  "v1/same/": DIRECTORY,
  "v1/to-dir": linkTo("dir"),
  "v2/dir/": DIRECTORY,
  "outside/": DIRECTORY,
  root: linkTo("v1"),
};

function look(root: DocumentRoot, path: string, symlinks: SymlinkRule): FileStamp {
  const result = openBelow(root, path.split("/"), symlinks);
  assert.ok(result.kind === "file", result.kind);
  closeSync(result.descriptor);
  return result.stamp;
}

/** Returns when a change of `path` would be told by its times: the file system's clock ticks some hundred times a second. */
function passTick(path: string, directory: string): void {
  const before = statSync(path).ctimeMs;
  const probe = `${directory}/probe`;
  do writeFileSync(probe, "");
  while (statSync(probe).ctimeMs <= before);
}

type Rules = readonly SymlinkRule[];
const ALL: Rules = ["inside", "anywhere"];
const CONTAINED: Rules = ["inside"];
const NONE: Rules = [];

const native = await loadNative();
const LOOKS: [by: string, look: StatFn | undefined][] = [
  ["Node", nodeStat],
  ["the C library", native.kind === "native" ? native.native.stat : undefined],
];

const changes: [name: string, change: (top: string) => void, staleUnder: Rules][] = [
  ["nothing", () => {}, []],
  ["another file of the directory", (top) => writeFileSync(`${top}/v1/dir/g`, "x"), []],
  ["grown", (top) => writeFileSync(`${top}/v1/dir/f`, "more", { flag: "a" }), ALL],
  ["truncated", (top) => truncateSync(`${top}/v1/dir/f`, 3), ALL],
  ["rewritten at the same size", (top) => writeFileSync(`${top}/v1/dir/f`, "CONTENT"), ALL],
  [
    "rewritten at the same size, and the old time put back",
    (top) => {
      writeFileSync(`${top}/v1/dir/f`, "CONTENT");
      utimesSync(`${top}/v1/dir/f`, 1, 1);
    },
    ALL,
  ],
  ["touched", (top) => utimesSync(`${top}/v1/dir/f`, 5, 5), ALL],
  ["made unreadable", (top) => chmodSync(`${top}/v1/dir/f`, 0o000), ALL],
  ["deleted", (top) => rmSync(`${top}/v1/dir/f`), ALL],
  [
    "replaced by another file of the same size and time",
    (top) => {
      writeFileSync(`${top}/next`, "CONTENT");
      utimesSync(`${top}/next`, 1, 1);
      renameSync(`${top}/next`, `${top}/v1/dir/f`);
    },
    ALL,
  ],
  [
    "replaced by a directory",
    (top) => {
      rmSync(`${top}/v1/dir/f`);
      mkdirSync(`${top}/v1/dir/f`);
    },
    ALL,
  ],
  [
    "replaced by a loop of links",
    (top) => {
      rmSync(`${top}/v1/dir/f`);
      symlinkSync("f", `${top}/v1/dir/f`);
    },
    ALL,
  ],
  // The same content, and not outside: nobody can tell the difference.
  ["the link on the way leads to the same file elsewhere inside", (top) => relink(`${top}/v1/to-dir`, "same"), NONE],
  ["the link on the way leads to the same file outside", (top) => relink(`${top}/v1/to-dir`, "../outside"), CONTAINED],
  [
    "the directory was moved outside and a link put in its place",
    (top) => {
      renameSync(`${top}/v1/dir`, `${top}/moved`);
      symlinkSync("../moved", `${top}/v1/dir`);
    },
    CONTAINED,
  ],
  ["the root was swapped for another with the same file", (top) => relink(`${top}/root`, "v2"), NONE],
  ["the root is gone", (top) => rmSync(`${top}/root`), ALL],
  ["the root is a file", (top) => relink(`${top}/root`, "v1/dir/f"), ALL],
];

function relink(path: string, target: string): void {
  rmSync(path);
  symlinkSync(target, path);
}

const cases = changes.flatMap((change) => LOOKS.map((look) => [...change, ...look] as const));
for (const [name, change, staleUnder, by, lookAt] of cases) {
  const skip = lookAt === undefined && "the C library cannot be called";
  test(`isStillCurrent, by ${by}: ${name}`, { skip }, (t) => {
    const top = makeTree(t, ENTRIES);
    for (const other of ["v1/same/f", "v2/dir/f", "outside/f"]) linkSync(`${top}/v1/dir/f`, `${top}/${other}`);
    symlinkSync("dir", `${top}/v2/to-dir`);
    utimesSync(`${top}/v1/dir/f`, 1, 1);
    let turn = 0;
    const root = new DocumentRoot({
      path: absolutePath(`${top}/root`),
      turn: { current: () => turn++ },
      descriptorPaths: "realpath",
      stat: lookAt,
    });
    const seen = ALL.map((rule) => look(root, PATH, rule));
    const seenWithoutLinks = look(root, "dir/f", "never");
    passTick(`${top}/v1/dir/f`, top);

    change(top);
    const stale = seen.filter((stamp) => !isStillCurrent(root, stamp)).map((stamp) => stamp.symlinks);
    assert.deepEqual(stale, staleUnder);
    // The link on the way is not on this one's way.
    if (name.startsWith("the link")) return;
    // Without links its real path must be the same, and another root is another path.
    const isSame = staleUnder.length === 0 && !name.startsWith("the root");
    assert.equal(isStillCurrent(root, seenWithoutLinks), isSame);
  });
}

test("isStillCurrent: a link put into the way of `never`, back to the same place", (t) => {
  const top = makeTree(t, { "dir/f": "content", root: linkTo("dir") });
  let turn = 0;
  const root = new DocumentRoot({
    path: absolutePath(`${top}/root`),
    turn: { current: () => turn++ },
    descriptorPaths: "realpath",
  });
  const seen = look(root, "f", "never");
  assert.equal(isStillCurrent(root, seen), true);
  // Now `f` below the root is a link, which leads to where `f` was before.
  symlinkSync("dir/f", `${top}/f`);
  relink(`${top}/root`, ".");
  assert.equal(isStillCurrent(root, seen), false);
});

const times: [name: string, nanoseconds: bigint, want: bigint][] = [
  ["the epoch", 0n, 0n],
  ["a whole second", 2_000_000_000n, 2n],
  ["a fraction is dropped", 2_999_999_999n, 2n],
  ["before the epoch it is rounded down too", -1n, -1n],
  ["a whole second before the epoch", -2_000_000_000n, -2n],
];
for (const [name, nanoseconds, want] of times) {
  test(`wholeSeconds: ${name}`, () => assert.equal(wholeSeconds(nanoseconds), want));
}
