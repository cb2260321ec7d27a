import assert from "node:assert/strict";
import { chmodSync, chownSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { canAccess, isPermitted } from "../../src/system/access.ts";
import { type Account, currentAccount } from "../../src/system/account.ts";
import { makeTree } from "../support/file-tree.ts";
import { onlyRoot } from "../support/root.ts";

const alice: Account = { uid: 1000, gid: 1000, groups: [27, 1000] };

const cases: [name: string, uid: number, gid: number, mode: number, use: "read" | "write" | "search", want: boolean][] =
  [
    ["an owner may", 1000, 5, 0o400, "read", true],
    ["an owner may not, though others may", 1000, 5, 0o077, "read", false],
    ["the group may", 5, 1000, 0o040, "read", true],
    ["another of one's groups may", 5, 27, 0o020, "write", true],
    ["a group may not, though others may", 5, 27, 0o707, "write", false],
    ["others may", 5, 5, 0o001, "search", true],
    ["others may not", 5, 5, 0o776, "search", false],
  ];
for (const [name, uid, gid, mode, use, want] of cases) {
  test(`isPermitted: ${name}`, () => assert.equal(isPermitted(alice, { uid, gid, mode }, use), want));
}

test("canAccess: the folders above count, and so does the last one's search bit", { skip: onlyRoot }, (t) => {
  const top = makeTree(t, { "home/site/page": "x" });
  const [home, site, page] = ["home", "home/site", "home/site/page"].map((name) => absolutePath(`${top}/${name}`));
  assert.ok(home !== undefined && site !== undefined && page !== undefined);
  const root = currentAccount();
  const reached = () => [site, page].map((path) => canAccess(root, path, "read"));
  assert.deepEqual(reached(), [true, true]);
  chownSync(home, 4242, 4242);
  chmodSync(home, 0o700);
  assert.deepEqual(reached(), [false, false]);
  chmodSync(home, 0o711);
  assert.deepEqual(reached(), [true, true]);
  chownSync(site, 4242, 4242);
  chmodSync(site, 0o754);
  assert.deepEqual(reached(), [false, false]);
  chmodSync(site, 0o755);
  assert.deepEqual([canAccess(root, site, "write"), canAccess(root, page, "write")], [false, true]);
});

test("canAccess: what is not there is not closed", (t) => {
  assert.equal(canAccess(alice, absolutePath(`${makeTree(t)}/none`), "write"), true);
});
