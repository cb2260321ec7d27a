// Not in --quick: a race of many rounds.

/**
 * A child swaps names as fast as it can while files are opened: whatever is opened must be what may be served.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, readSync } from "node:fs";
import { test } from "node:test";
import { absolutePath, type SymlinkRule } from "../../src/base/absolute-path.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { openBelow, probeDescriptorPaths } from "../../src/site/open-file.ts";
import { exactOpenerMissing, type ProvingWay, provenBy } from "../support/exact-opener.ts";
import { linkTo, makeTree } from "../support/file-tree.ts";
import { rounds } from "../support/rounds.ts";

const OPENINGS = rounds(5000, 20_000);
const PATIENCE_MS = 60_000;
const OWN = "own";
const FOREIGN = "foreign";
const hasProc = probeDescriptorPaths() === "proc";

const ENTRIES = {
  "root/good/f": OWN,
  "root/dir/f": OWN,
  "root/link": linkTo("good"),
  "root/file": OWN,
  "outside/f": FOREIGN,
  link: linkTo("../outside"),
};

/** Each is the body of an endless loop in the child, whose working directory is the tree's top. */
const SWAP_LINK = `
  fs.symlinkSync("../outside", "next"); fs.renameSync("next", "root/link");
  fs.symlinkSync("good", "next"); fs.renameSync("next", "root/link");`;
const SWAP_DIRECTORY = `
  fs.renameSync("root/dir", "spare"); fs.symlinkSync("../outside", "root/dir");
  fs.unlinkSync("root/dir"); fs.renameSync("spare", "root/dir");`;
/** Nothing is made or removed, so it is there and back in a few microseconds. */
const SWAP_BY_NAME = `
  fs.renameSync("root/dir", "spare"); fs.renameSync("link", "root/dir");
  fs.renameSync("root/dir", "link"); fs.renameSync("spare", "root/dir");`;
const REPLACE_FILE = `
  fs.writeFileSync("next", "${OWN}"); fs.renameSync("next", "root/file");`;

/** Runs `measure` while a child swaps names; the child has ended when this returns, and ends itself when this process is gone. */
async function whileSwapping<R>(top: string, loop: string, measure: () => R): Promise<R> {
  const script = `const fs = require("fs"); const parent = process.ppid;
    for (let i = 0; process.ppid === parent; i++) { ${loop} if (i === 10) fs.writeSync(1, "swapping"); }`;
  const child = spawn(process.execPath, ["-e", script], { cwd: top, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  try {
    await once(child.stdout, "data");
    return measure();
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

/**
 * How often each outcome was met: content of the file, or the reason.
 *
 * @param awaited  goes on for a while longer until each of these was met: the child may have to wait for a processor
 */
function openOften(
  top: string,
  segments: readonly string[],
  rule: SymlinkRule,
  way: ProvingWay,
  awaited: readonly string[],
): ReadonlyMap<string, number> {
  const root = new DocumentRoot({
    path: absolutePath(`${top}/root`),
    turn: { current: () => 0 },
    ...provenBy(way),
  });
  const counts = new Map<string, number>();
  const content = Buffer.alloc(16);
  const deadline = performance.now() + PATIENCE_MS;
  const isEnough = () => awaited.every((outcome) => counts.has(outcome)) || performance.now() > deadline;
  for (let i = 0; i < OPENINGS || !isEnough(); i++) {
    const result = openBelow(root, segments, rule);
    let outcome: string = result.kind === "directory" ? result.kind : "";
    if (result.kind === "file") {
      outcome = content.toString("latin1", 0, readSync(result.descriptor, content, 0, content.length, 0));
      closeSync(result.descriptor);
    } else if (result.kind !== "directory") {
      outcome = result.reason;
    }
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return counts;
}

const races: [name: string, loop: string, path: string, rule: SymlinkRule, way: ProvingWay, met: string[]][] = [
  ["a link swapped to the outside and back", SWAP_LINK, "link/f", "inside", "proc", [OWN, "symlink-escape"]],
  ["a link swapped to the outside and back", SWAP_LINK, "link/f", "inside", "realpath", [OWN, "symlink-escape"]],
  ["a link swapped to the outside and back", SWAP_LINK, "link/f", "never", "proc", ["symlink-escape"]],
  ["a directory swapped for a link", SWAP_DIRECTORY, "dir/f", "inside", "proc", [OWN, "symlink-escape"]],
  ["a directory swapped for a link", SWAP_DIRECTORY, "dir/f", "never", "proc", [OWN, "symlink-escape"]],
  ["a directory swapped by its name alone", SWAP_BY_NAME, "dir/f", "inside", "proc", [OWN, "symlink-escape"]],
  ["a link swapped to the outside and back", SWAP_LINK, "link/f", "inside", "exact", [OWN, "symlink-escape"]],
  ["a directory swapped for a link", SWAP_DIRECTORY, "dir/f", "never", "exact", [OWN, "symlink-escape"]],
  ["a directory swapped by its name alone", SWAP_BY_NAME, "dir/f", "inside", "exact", [OWN, "symlink-escape"]],
  ["a directory swapped by its name alone", SWAP_BY_NAME, "dir/f", "never", "exact", [OWN, "symlink-escape"]],
];
for (const [name, loop, path, rule, way, met] of races) {
  const skip = way === "exact" ? exactOpenerMissing : way === "proc" && !hasProc && "no /proc";
  test(`openBelow (${way}, ${rule}): ${name}`, { skip, timeout: 180_000 }, async (t) => {
    const top = makeTree(t, ENTRIES);
    const counts = await whileSwapping(top, loop, () => openOften(top, path.split("/"), rule, way, met));
    assert.equal(counts.get(FOREIGN), undefined);
    for (const outcome of met) assert.ok(counts.has(outcome), `${outcome} was never met: ${[...counts]}`);
  });
}

for (const rule of ["inside", "never"] as const) {
  const name = `openBelow (proc, ${rule}): a file that is replaced all the time is always there`;
  test(name, { skip: !hasProc && "no /proc", timeout: 180_000 }, async (t) => {
    const top = makeTree(t, ENTRIES);
    const counts = await whileSwapping(top, REPLACE_FILE, () => openOften(top, ["file"], rule, "proc", [OWN]));
    assert.deepEqual([...counts], [[OWN, OPENINGS]]);
  });
}
