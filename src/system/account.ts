/**
 * Who a process is to be: the user and group of the settings, as numbers, and what files these may use.
 *
 * Names are looked up by the C library, which knows every source the system has (nsswitch.conf: LDAP and systemd as well
 * as /etc/passwd). Node shows its answers in one way only: by taking the identity on. So root takes it on for a moment,
 * reads its numbers, and goes back. Nothing is awaited meanwhile, so no other work is done under a foreign name.
 */
import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";

/** `groups` are the supplementary ones, sorted; `gid` is among them. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** The functions of `process` that not every platform has. */
type PosixProcess = Required<
  Pick<NodeJS.Process, "geteuid" | "getegid" | "getgroups" | "seteuid" | "setegid" | "setgroups" | "setuid" | "setgid">
> & {
  /** Missing in Node's types. @param group  besides those the user is in */
  initgroups(user: string, group: number): void;
};

/** @throws StartupError where they are missing */
export function posixProcess(): PosixProcess {
  if (process.geteuid === undefined) throw new StartupError(`${process.platform} cannot change the user of a process`);
  return process as NodeJS.Process & PosixProcess;
}

/** Who this process is, for everything but being sent signals. */
export function currentAccount(): Account {
  const posix = posixProcess();
  return { uid: posix.geteuid(), gid: posix.getegid(), groups: sorted(posix.getgroups()) };
}

/**
 * The numbers behind `user` and `group`, each a name or a number. Digits are a number even if an account has that name.
 *
 * @param user  undefined: the user of this process
 * @param group  undefined: the group the system has for the user
 * @throws StartupError for what the system does not know, and for any other user unless this process is root
 */
export function resolveAccount(user: string | undefined, group: string | undefined): Account {
  const posix = posixProcess();
  const before = currentAccount();
  try {
    const account = lookUpUser(user, before);
    posix.seteuid(before.uid);
    const gid = lookUpGroup(group) ?? account.gid;
    if (gid === undefined) {
      throw new StartupError(`user = ${user}: no account has that number, so its group is unknown: set group too`);
    }
    return { uid: account.uid, gid, groups: lookUpGroups(account.name, gid, before) };
  } finally {
    posix.seteuid(before.uid);
    restoreGroups(before);
  }
}

/**
 * Calls `act` with no more rights than `account` has, so that root is not led through that user's links to where only root
 * may go, and is itself again afterwards. The real user stays root, so no other user can signal or trace the
 * process meanwhile.
 *
 * @param act  must not leave anything to be done later: other work would be done under that name
 */
export function runAs<Result>(account: Account | undefined, act: () => Result): Result {
  if (account === undefined) return act();
  const posix = posixProcess();
  const uid = posix.geteuid();
  const gid = posix.getegid();
  const groups = posix.getgroups();
  try {
    // The user last: then the right to change the others is gone.
    posix.setgroups([...account.groups]);
    posix.setegid(account.gid);
    posix.seteuid(account.uid);
    return act();
  } finally {
    posix.seteuid(uid);
    posix.setegid(gid);
    posix.setgroups(groups);
  }
}

interface UserEntry {
  readonly uid: number;
  /** Undefined for a number that no account has. */
  readonly gid: number | undefined;
  readonly name: string | undefined;
}

/** Leaves the process with the user's identity. */
function lookUpUser(user: string | undefined, before: Account): UserEntry {
  const posix = posixProcess();
  if (user !== undefined) become("user", user, posix.seteuid);
  const uid = posix.geteuid();
  try {
    const { gid, username } = userInfo();
    return { uid, gid: user === undefined ? before.gid : gid, name: username };
  } catch {
    // ENOENT: the system has no account of that number.
    return { uid, gid: user === undefined ? before.gid : undefined, name: undefined };
  }
}

/** Leaves the process with the group's identity. */
function lookUpGroup(group: string | undefined): number | undefined {
  if (group === undefined) return undefined;
  const posix = posixProcess();
  become("group", group, posix.setegid);
  return posix.getegid();
}

function lookUpGroups(name: string | undefined, gid: number, before: Account): readonly number[] {
  const posix = posixProcess();
  // Only root may ask; for oneself the answer is known.
  if (before.uid !== 0) return before.groups;
  if (name === undefined) return [gid];
  posix.initgroups(name, gid);
  // Node adds the effective group to what the system has, which must not be root's.
  posix.setegid(gid);
  return sorted(posix.getgroups());
}

function become(option: "user" | "group", account: string, take: (id: string | number) => void): void {
  try {
    take(/^[0-9]+$/.test(account) ? Number(account) : account);
  } catch (cause) {
    throw new StartupError(`${option} = ${account}: ${explain(option, cause)}`, { cause });
  }
}

function explain(option: "user" | "group", cause: unknown): string {
  switch (errorCode(cause)) {
    case "ERR_UNKNOWN_CREDENTIAL":
      return `no ${option} of that name exists`;
    case "ERR_OUT_OF_RANGE":
    case "EINVAL":
      return `expected a number below ${2 ** 32 - 1}`;
    case "EPERM":
      return option === "user" ? "only root can run the server as another user" : "only root can change the group";
    default:
      return String(cause);
  }
}

function restoreGroups({ uid, gid, groups }: Account): void {
  const posix = posixProcess();
  if (uid === 0) posix.setgroups([...groups]);
  posix.setegid(gid);
}

function sorted(ids: readonly number[]): readonly number[] {
  return [...new Set(ids)].sort((one, other) => one - other);
}

export interface Permissions {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

const BITS = { search: 0o1, read: 0o4, write: 0o2 };

/** As the kernel decides it: the first of owner, group and others that fits, and no other. */
export function isPermitted(account: Account, found: Permissions, use: keyof typeof BITS): boolean {
  const bit = BITS[use];
  if (found.uid === account.uid) return (found.mode & (bit << 6)) !== 0;
  const isInGroup = found.gid === account.gid || account.groups.includes(found.gid);
  return (found.mode & (isInGroup ? bit << 3 : bit)) !== 0;
}

/**
 * Whether permissions alone let an account use a file or a folder: what root without capabilities could do, which root
 * cannot try out. Owner, group and mode count, access control lists do not. Also true for what is not there: nothing is
 * closed then.
 */
export function canAccess(account: Account, path: AbsolutePath, use: "read" | "write"): boolean {
  try {
    const found = statSync(path);
    if (!isPermitted(account, found, use)) return false;
    if (found.isDirectory() && !isPermitted(account, found, "search")) return false;
    return foldersAbove(path).every((folder) => isPermitted(account, statSync(folder), "search"));
  } catch (error) {
    return errorCode(error) === "ENOENT";
  }
}

function foldersAbove(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersAbove(folder)];
}
