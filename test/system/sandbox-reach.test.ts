import assert from "node:assert/strict";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type AllowedPlace, MAY_READ, MAY_STORE, MAY_STORE_BELOW } from "../../src/system/landlock.ts";
import { handOver, SandboxReach, takeOver } from "../../src/system/sandbox-reach.ts";
import { DIRECTORY, makeTree } from "../support/file-tree.ts";

function allow(path: string, access: number): AllowedPlace {
  const { dev, ino } = statSync(path);
  return { device: dev, inode: ino, access };
}

test("what the first stage hands over is what the second one takes", () => {
  const places = [
    { device: 64769, inode: 1234567890123, access: MAY_READ },
    { device: 27, inode: 1, access: MAY_STORE },
  ];
  const environment: NodeJS.ProcessEnv = { ...handOver(places), OTHER: "kept" };
  assert.deepEqual(takeOver(environment), places);
  assert.deepEqual(environment, { OTHER: "kept" });
});

test("without rules nothing is out of reach", () => {
  assert.equal(takeOver({}), undefined);
  assert.equal(takeOver(handOver([])), undefined);
});

test("SandboxReach: what lies below an allowed folder, as long as it is that folder", (t) => {
  const top = makeTree(t, {
    "read/a/b/": DIRECTORY,
    "store/": DIRECTORY,
    "tree/host/": DIRECTORY,
    "other/": DIRECTORY,
  });
  const reports: string[] = [];
  const reach = new SandboxReach(
    [allow(`${top}/read`, MAY_READ), allow(`${top}/store`, MAY_STORE), allow(`${top}/tree`, MAY_STORE_BELOW)],
    (place) => reports.push(place),
  );
  const stored = ["store", "tree/host", "tree/host/none", "store/none", "read/a", "other", "none"].filter((name) =>
    reach.stores(absolutePath(`${top}/${name}`)),
  );
  assert.deepEqual(stored, ["store", "tree/host", "tree/host/none", "store/none"]);
  const isRead = (name: string): boolean => reach.reads(absolutePath(`${top}/${name}`));
  assert.ok(isRead("read"));
  assert.ok(isRead("read/a/b"));
  assert.ok(isRead("store"));
  // The kernel lets this process list it, so it is within reach whatever its numbers.
  assert.ok(isRead("other"));
  assert.ok(!isRead("none"));
  renameSync(`${top}/store`, `${top}/former`);
  mkdirSync(`${top}/store`);
  assert.ok(!reach.stores(absolutePath(`${top}/store`)));
  assert.ok(reach.stores(absolutePath(`${top}/former`)));
  reach.report(top);
  assert.deepEqual(reports, [top]);
});
