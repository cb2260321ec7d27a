import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import type { Account } from "../../src/system/account.ts";
import {
  type PrivilegePlan,
  type PrivilegeRequest,
  planPrivileges,
  privilegeWarning,
} from "../../src/system/privilege-plan.ts";
import { NO_CHANGE } from "../support/no-privileges.ts";

const root: Account = { uid: 0, gid: 0, groups: [0] };
const alice: Account = { uid: 1000, gid: 1000, groups: [27, 1000] };
const www: Account = { uid: 33, gid: 33, groups: [33] };
const jail = absolutePath("/srv/jail");

function request(changes: Partial<PrivilegeRequest>): PrivilegeRequest {
  return { user: undefined, group: undefined, chroot: undefined, ...changes };
}

type Want = PrivilegePlan | RegExp;
const plan = (account: Account | undefined, chroot = undefined as PrivilegePlan["chroot"]): Want => ({
  chroot,
  account,
});

const cases: [
  name: string,
  starter: Account,
  request: Partial<PrivilegeRequest>,
  account: Account | undefined,
  want: Want,
][] = [
  ["nothing is set", root, {}, undefined, NO_CHANGE],
  ["root becomes a user", root, { user: "www" }, www, plan(www)],
  ["root becomes a user in a chroot", root, { user: "www", chroot: jail }, www, plan(www, jail)],
  ["root stays root", root, { user: "root" }, root, NO_CHANGE],
  ["root stays root with other groups", root, { user: "root" }, { ...root, groups: [0, 4] }, NO_CHANGE],
  ["a user stays as she is", alice, {}, undefined, NO_CHANGE],
  ["a user names herself", alice, { user: "alice", group: "alice" }, alice, NO_CHANGE],
  ["a user names another", alice, { user: "www" }, www, /^user is set, but only root can change it/],
  [
    "a user names another group",
    alice,
    { group: "www" },
    { ...alice, gid: 33 },
    /^group is set, but only root can change it/,
  ],
  ["a user wants a chroot", alice, { chroot: jail }, undefined, /^chroot = \/srv\/jail: only root can do that/],
  [
    "a chroot without user",
    root,
    { chroot: jail },
    undefined,
    /^chroot = \/srv\/jail: root can leave a chroot: set user to an unprivileged account$/,
  ],
  ["a chroot for root", root, { user: "root", chroot: jail }, root, /root can leave a chroot/],
  [
    "a group without user",
    root,
    { group: "www" },
    { ...root, gid: 33 },
    /^group without user has no effect for root: set user/,
  ],
  [
    "root of another group",
    root,
    { user: "root", group: "www" },
    { ...root, gid: 33 },
    /with user = root has no effect for root: set user/,
  ],
];
for (const [name, starter, changes, account, want] of cases) {
  test(`planPrivileges: ${name}`, () => {
    const decision = planPrivileges(request(changes), account, starter);
    if (want instanceof RegExp) assert.match(decision.kind === "refused" ? decision.reason : "a plan", want);
    else assert.deepEqual(decision, { kind: "plan", plan: want });
  });
}

test("privilegeWarning: for root who has not chosen to be root", () => {
  assert.match(privilegeWarning(request({}), root) ?? "", /^worker processes run as root: set user to/);
  assert.equal(privilegeWarning(request({ user: "root" }), root), undefined);
  assert.equal(privilegeWarning(request({ user: "www" }), root), undefined);
  assert.equal(privilegeWarning(request({}), alice), undefined);
});
