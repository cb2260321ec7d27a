/**
 * The change from root to another user: prepared by the primary, taken by each worker, and proven: by every thread, and
 * with no way back. A worker that cannot prove it does not serve.
 */
import { closeSync, openSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { type Account, currentAccount, posixProcess, resolveAccount, runAs } from "./account.ts";
import { loadNative, type Native } from "./native.ts";
import { type PrivilegePlan, type PrivilegeRequest, planPrivileges, privilegeWarning } from "./privilege-plan.ts";
import { type ThreadStatus, ThreadStatusFiles } from "./thread-status.ts";

export interface Privileges {
  readonly privileges: PrivilegePlan;
  /** What to warn of at start. */
  readonly warning: string | undefined;
}

/**
 * Looks up the accounts and the folder that the settings name.
 *
 * @throws StartupError for a request that cannot be granted
 */
export async function preparePrivileges(request: PrivilegeRequest): Promise<Privileges> {
  const starter = currentAccount();
  const warning = privilegeWarning(request, starter);
  const isAccountSet = request.user !== undefined || request.group !== undefined;
  const account = isAccountSet ? resolveAccount(request.user, request.group) : undefined;
  const decision = planPrivileges(request, account, starter);
  if (decision.kind === "refused") throw new StartupError(decision.reason);
  const { chroot, account: changed } = decision.plan;
  if (chroot !== undefined) await checkChroot(chroot);
  // Task threads load it when they start; before a chroot all of them do.
  else if (changed !== undefined) runAs(changed, () => checkProgram(request));
  return { privileges: decision.plan, warning };
}

async function checkChroot(path: AbsolutePath): Promise<void> {
  const loaded = await loadNative();
  if (loaded.kind === "missing") throw new StartupError(`chroot = ${path} is not possible: ${loaded.why}`);
  try {
    if (!statSync(path).isDirectory()) throw new StartupError(`chroot = ${path} is not a directory`);
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    const problem = errorCode(cause) === "ENOENT" ? "there is no such directory" : describeSystemError(cause);
    throw new StartupError(`chroot = ${path}: ${problem}`, { cause });
  }
}

function checkProgram({ user }: PrivilegeRequest): void {
  for (const file of [new URL("../thread-main.js", import.meta.url), new URL(import.meta.resolve("piscina"))]) {
    try {
      closeSync(openSync(file, "r"));
    } catch (cause) {
      const problem = `user = ${user}: that user cannot read the program, ${fileURLToPath(file)}`;
      throw new StartupError(`${problem}: install Comanche in a directory that every user can read`, { cause });
    }
  }
}

/**
 * Carries out the plan for the whole process; does nothing for a plan without changes. Everything that needs more rights
 * must be open by then.
 *
 * @param native  undefined without koffi: then a chroot is not possible
 * @throws StartupError when a step fails or does not hold. The process must end then: it may be anybody
 */
export function dropPrivileges({ chroot, account }: PrivilegePlan, native: Native | undefined): void {
  if (chroot === undefined && account === undefined) return;
  const posix = posixProcess();
  const statuses = new ThreadStatusFiles();
  try {
    if (chroot !== undefined) {
      if (native === undefined)
        throw new StartupError(`chroot = ${chroot} is not possible: the optional package koffi is not installed`);
      step(`chroot to ${chroot}`, () => native.chroot(chroot));
    }
    // An open working directory is a way out of a chroot.
    step("change to the root directory", () => process.chdir("/"));
    if (account === undefined) return;
    step("set the groups", () => posix.setgroups([...account.groups]));
    step(`set the group ${account.gid}`, () => posix.setgid(account.gid));
    step(`set the user ${account.uid}`, () => posix.setuid(account.uid));
    const fault = findAccountFault(account, currentAccount(), statuses.read()) ?? findWayBack();
    if (fault !== undefined) throw new StartupError(`the change of user failed: ${fault}`);
  } finally {
    statuses.close();
  }
}

/** What of a thread or of the process is not as `wanted`, in words; undefined when all is. */
export function findAccountFault(
  wanted: Account,
  found: Account,
  threads: readonly ThreadStatus[],
): string | undefined {
  if (found.uid !== wanted.uid) return `the user is ${found.uid}, expected ${wanted.uid}`;
  if (found.gid !== wanted.gid) return `the group is ${found.gid}, expected ${wanted.gid}`;
  if (!isSameSet(found.groups, wanted.groups)) return groupsFault(found.groups, wanted.groups);
  for (const thread of threads) {
    const fault = findThreadFault(wanted, thread);
    if (fault !== undefined) return `in one of ${threads.length} threads ${fault}`;
  }
  return undefined;
}

function findThreadFault(wanted: Account, { uids, gids, groups, capabilities }: ThreadStatus): string | undefined {
  if (uids.some((uid) => uid !== wanted.uid)) return `the users are ${uids.join(" ")}, expected ${wanted.uid}`;
  if (gids.some((gid) => gid !== wanted.gid)) return `the groups are ${gids.join(" ")}, expected ${wanted.gid}`;
  // The kernel lists the supplementary groups alone; Node's list has the main one too.
  if (!isSameSet([...groups, wanted.gid], wanted.groups)) return groupsFault(groups, wanted.groups);
  for (const set of ["permitted", "effective", "ambient"] as const) {
    if (capabilities[set] !== 0n) return `the ${set} capabilities are ${capabilities[set].toString(16)}, expected none`;
  }
  return undefined;
}

function groupsFault(found: readonly number[], wanted: readonly number[]): string {
  return `the supplementary groups are ${found.join(" ") || "none"}, expected ${wanted.join(" ")}`;
}

function isSameSet(some: readonly number[], others: readonly number[]): boolean {
  const [one, other] = [new Set(some), new Set(others)];
  return one.size === other.size && [...one].every((each) => other.has(each));
}

function findWayBack(): string | undefined {
  try {
    posixProcess().setuid(0);
    return "setuid(0) still succeeds";
  } catch {
    return undefined;
  }
}

function step(what: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw new StartupError(`cannot ${what}: ${describeSystemError(cause)}`, { cause });
  }
}
