import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type Account, currentAccount } from "../../src/system/account.ts";
import { loadNative } from "../../src/system/native.ts";
import type { PrivilegeRequest } from "../../src/system/privilege-plan.ts";
import { dropPrivileges, findAccountFault, preparePrivileges } from "../../src/system/privileges.ts";
import type { ThreadStatus } from "../../src/system/thread-status.ts";
import { makeTree } from "../support/file-tree.ts";
import { NO_CHANGE } from "../support/no-privileges.ts";
import { onlyOthers, onlyRoot } from "../support/root.ts";

const native = await loadNative();
const koffiIsMissing = native.kind === "missing" && native.why;

function request(changes: Partial<PrivilegeRequest>): PrivilegeRequest {
  return { user: undefined, group: undefined, chroot: undefined, ...changes };
}

test("preparePrivileges: nothing is set", async () => {
  const { privileges, warning } = await preparePrivileges(request({}));
  assert.deepEqual(privileges, NO_CHANGE);
  assert.equal(warning !== undefined, process.geteuid?.() === 0);
});

test("preparePrivileges: a chroot must be a directory", { skip: onlyRoot || koffiIsMissing }, async (t) => {
  const top = makeTree(t, { file: "x", "folder/": "" });
  const prepare = (name: string) =>
    preparePrivileges(request({ user: "daemon", chroot: absolutePath(`${top}/${name}`) }));
  await assert.rejects(prepare("file"), { name: "StartupError", message: `chroot = ${top}/file is not a directory` });
  await assert.rejects(prepare("none"), { message: `chroot = ${top}/none: there is no such directory` });
  const { privileges } = await prepare("folder");
  assert.deepEqual(privileges, { chroot: `${top}/folder`, account: { uid: 1, gid: 1, groups: [1] } });
});

test("preparePrivileges: an ordinary user", { skip: onlyOthers }, async () => {
  await assert.rejects(preparePrivileges(request({ user: "root" })), { name: "StartupError", message: /only root/ });
  const uid = String(process.geteuid?.());
  assert.deepEqual(
    (await preparePrivileges(request({ user: uid, group: String(process.getegid?.()) }))).privileges,
    NO_CHANGE,
  );
});

const wanted: Account = { uid: 33, gid: 34, groups: [4, 34] };
const NONE = { inheritable: 0n, permitted: 0n, effective: 0n, bounding: 0x1ffn, ambient: 0n };
const right: ThreadStatus = {
  uids: [33, 33, 33, 33],
  gids: [34, 34, 34, 34],
  groups: [4, 34],
  capabilities: NONE,
  hasNoNewPrivileges: true,
};

const cases: [name: string, found: Partial<Account>, thread: Partial<ThreadStatus>, want: string | undefined][] = [
  ["all is as wanted", {}, {}, undefined],
  ["the main group need not be among the others", {}, { groups: [4] }, undefined],
  ["groups in another order", { groups: [34, 4] }, { groups: [34, 4] }, undefined],
  ["another user", { uid: 0 }, {}, "the user is 0, expected 33"],
  ["another group", { gid: 0 }, {}, "the group is 0, expected 34"],
  ["a group is left", { groups: [0, 4, 34] }, {}, "the supplementary groups are 0 4 34, expected 4 34"],
  ["a group is missing", { groups: [34] }, {}, "the supplementary groups are 34, expected 4 34"],
  [
    "the saved user of a thread",
    {},
    { uids: [33, 33, 0, 33] },
    "in one of 2 threads the users are 33 33 0 33, expected 33",
  ],
  [
    "the group of a thread",
    {},
    { gids: [0, 34, 34, 34] },
    "in one of 2 threads the groups are 0 34 34 34, expected 34",
  ],
  [
    "a thread has root's group",
    {},
    { groups: [0, 4] },
    "in one of 2 threads the supplementary groups are 0 4, expected 4 34",
  ],
  [
    "a thread has no groups",
    {},
    { groups: [] },
    "in one of 2 threads the supplementary groups are none, expected 4 34",
  ],
  [
    "a thread may have a capability",
    {},
    { capabilities: { ...NONE, permitted: 0x80n } },
    "in one of 2 threads the permitted capabilities are 80, expected none",
  ],
  [
    "a thread has a capability",
    {},
    { capabilities: { ...NONE, effective: 1n } },
    "in one of 2 threads the effective capabilities are 1, expected none",
  ],
  [
    "a thread hands on a capability",
    {},
    { capabilities: { ...NONE, ambient: 1n } },
    "in one of 2 threads the ambient capabilities are 1, expected none",
  ],
];
for (const [name, found, thread, want] of cases) {
  test(`findAccountFault: ${name}`, () => {
    assert.equal(findAccountFault(wanted, { ...wanted, ...found }, [right, { ...right, ...thread }]), want);
  });
}

test("findAccountFault: without /proc the process alone is looked at", () => {
  assert.equal(findAccountFault(wanted, wanted, []), undefined);
});

test("dropPrivileges: nothing is done for a plan without changes", () => {
  const before = currentAccount();
  const folder = process.cwd();
  dropPrivileges(NO_CHANGE, undefined);
  assert.deepEqual(currentAccount(), before);
  assert.equal(process.cwd(), folder);
});

test("dropPrivileges: a step that fails is named", { skip: onlyOthers }, () => {
  const account = { uid: 1, gid: 1, groups: [1] };
  assert.throws(() => dropPrivileges({ chroot: undefined, account }, undefined), {
    name: "StartupError",
    message: /^cannot set the groups: EPERM/,
  });
});
