import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import {
  type Account,
  canAccess,
  currentAccount,
  isPermitted,
  resolveAccount,
  runAs,
} from "../../src/system/account.ts";
import { makeTree } from "../support/file-tree.ts";
import { onlyOthers, onlyRoot } from "../support/root.ts";

/** What id(1) says of an account. */
function idOf(user: string): Account {
  const ask = (option: string) => execFileSync("id", [option, user], { encoding: "utf8" }).trim();
  const groups = ask("-G").split(" ").map(Number);
  return { uid: Number(ask("-u")), gid: Number(ask("-g")), groups: groups.toSorted((one, other) => one - other) };
}

// 3999999999 has no account anywhere, one hopes.
const STRANGER = "3999999999";
const daemon = { uid: 1, gid: 1 };

const accounts: [name: string, user: string | undefined, group: string | undefined, want: () => Account][] = [
  ["a name", "daemon", undefined, () => idOf("daemon")],
  ["its number", "1", undefined, () => idOf("daemon")],
  ["with another group", "daemon", "nogroup", () => ({ ...daemon, gid: 65534, groups: [65534] })],
  ["with a group by number", "daemon", "4242", () => ({ ...daemon, gid: 4242, groups: [4242] })],
  [
    "a number without account, and a group",
    STRANGER,
    "4242",
    () => ({ uid: Number(STRANGER), gid: 4242, groups: [4242] }),
  ],
  ["root", "root", undefined, () => idOf("root")],
];
for (const [name, user, group, want] of accounts) {
  test(`resolveAccount: ${name}`, { skip: onlyRoot }, () => {
    const before = currentAccount();
    assert.deepEqual(resolveAccount(user, group), want());
    assert.deepEqual(currentAccount(), before);
  });
}

test("resolveAccount: root's own groups are not handed on", { skip: onlyRoot }, () => {
  const before = process.getgroups?.() ?? [];
  process.setgroups?.([0, 4321]);
  assert.deepEqual(resolveAccount("daemon", undefined), idOf("daemon"));
  assert.deepEqual(process.getgroups?.().toSorted(), [0, 4321]);
  process.setgroups?.(before);
});

const faults: [name: string, user: string | undefined, group: string | undefined, message: RegExp][] = [
  ["an unknown user", "nobody-at-all", undefined, /^user = nobody-at-all: no user of that name exists$/],
  ["an unknown group", undefined, "no-such-group", /^group = no-such-group: no group of that name exists$/],
  ["a number that is too large", "4294967296", undefined, /^user = 4294967296: expected a number below 4294967295$/],
];
for (const [name, user, group, message] of faults) {
  test(`resolveAccount: ${name}`, () => {
    const before = currentAccount();
    assert.throws(() => resolveAccount(user, group), { name: "StartupError", message });
    assert.deepEqual(currentAccount(), before);
  });
}

test("resolveAccount: a number without account and without group", { skip: onlyRoot }, () => {
  const message = `user = ${STRANGER}: no account has that number, so its group is unknown: set group too`;
  assert.throws(() => resolveAccount(STRANGER, undefined), new StartupError(message));
  assert.equal(process.geteuid?.(), 0);
});

test("resolveAccount: oneself needs no rights", () => {
  const { username } = userInfo();
  const { uid, gid } = currentAccount();
  assert.deepEqual(resolveAccount(username, undefined).uid, uid);
  assert.deepEqual(resolveAccount(String(uid), String(gid)).gid, gid);
});

test("resolveAccount: somebody else is for root to be", { skip: onlyOthers }, () => {
  assert.throws(() => resolveAccount("root", undefined), { message: /only root can run the server as another user$/ });
  assert.throws(() => resolveAccount(undefined, "0"), { message: /^group = 0: only root can change the group$/ });
});

test("runAs: what is done is done as the other, and then no more", { skip: onlyRoot }, (t) => {
  const top = makeTree(t, { secret: "x" });
  const before = currentAccount();
  const stranger = { uid: 4242, gid: 4343, groups: [4343, 4444] };
  const found = runAs(stranger, () => {
    assert.throws(() => writeFileSync(`${top}/other`, ""), { code: "EACCES" });
    return currentAccount();
  });
  assert.deepEqual(found, stranger);
  assert.deepEqual(currentAccount(), before);
  writeFileSync(`${top}/other`, "");
});

test("runAs: one is oneself again after a failure", { skip: onlyRoot }, () => {
  const before = currentAccount();
  const fail = () => assert.fail("on purpose");
  assert.throws(() => runAs({ uid: 4242, gid: 4343, groups: [4343] }, fail), /on purpose/);
  assert.deepEqual(currentAccount(), before);
});

const alice: Account = { uid: 1000, gid: 1000, groups: [27, 1000] };

const permissions: [
  name: string,
  uid: number,
  gid: number,
  mode: number,
  use: "read" | "write" | "search",
  want: boolean,
][] = [
  ["an owner may", 1000, 5, 0o400, "read", true],
  ["an owner may not, though others may", 1000, 5, 0o077, "read", false],
  ["the group may", 5, 1000, 0o040, "read", true],
  ["another of one's groups may", 5, 27, 0o020, "write", true],
  ["a group may not, though others may", 5, 27, 0o707, "write", false],
  ["others may", 5, 5, 0o001, "search", true],
  ["others may not", 5, 5, 0o776, "search", false],
];
for (const [name, uid, gid, mode, use, want] of permissions) {
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
