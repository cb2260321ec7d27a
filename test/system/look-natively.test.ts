/** The same look by the C library as by Node, on every kind of thing a path may lead to. */
import assert from "node:assert/strict";
import { truncateSync, utimesSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { nodeStat } from "../../src/site/file-stat.ts";
import { nativeStat } from "../../src/system/look-natively.ts";
import { loadNative } from "../../src/system/native.ts";
import { DIRECTORY, linkTo, makeTree } from "../support/file-tree.ts";

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

test("nativeStat sees what nodeStat sees", { skip }, (t) => {
  if (loaded.kind === "missing") return;
  const stat = nativeStat(loaded.native);
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
