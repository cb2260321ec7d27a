/**
 * What a worker process becomes before it talks to the network: another user, and shut into a folder, as the settings say
 * and the one who starts the server may. What cannot be done stops the start; nothing is left out.
 */
import { closeSync, openSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import type { ServerSettings } from "../config/settings.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { type Account, currentAccount, resolveAccount } from "./account.ts";
import { loadNative } from "./native.ts";
import { runAs } from "./run-as.ts";

/** Plain data: it travels to the worker. */
export interface PrivilegePlan {
  readonly chroot: AbsolutePath | undefined;
  /** Undefined where nothing is to change. */
  readonly account: Account | undefined;
}

export type PrivilegeDecision =
  | { readonly kind: "plan"; readonly plan: PrivilegePlan }
  /** `reason`: a sentence for the operator. */
  | { readonly kind: "refused"; readonly reason: string };

export type PrivilegeRequest = Pick<ServerSettings, "user" | "group" | "chroot">;

/**
 * @param account  the numbers behind `user` and `group`; undefined when neither is set
 * @param starter  who started the server
 */
export function planPrivileges(
  { user, chroot }: PrivilegeRequest,
  account: Account | undefined,
  starter: Account,
): PrivilegeDecision {
  const isRoot = starter.uid === 0;
  const isOther = account !== undefined && (account.uid !== starter.uid || account.gid !== starter.gid);
  if (!isRoot && isOther) {
    const option = account.uid === starter.uid ? "group" : "user";
    return refuse(`${option} is set, but only root can change it: start the server as root or leave it out`);
  }
  if (!isRoot && chroot !== undefined) {
    return refuse(`chroot = ${chroot}: only root can do that: start the server as root or leave it out`);
  }
  const staysRoot = isRoot && (account === undefined || account.uid === 0);
  if (staysRoot && chroot !== undefined) {
    return refuse(`chroot = ${chroot}: root can leave a chroot: set user too, to somebody else`);
  }
  if (staysRoot && isOther) {
    const named = user === undefined ? "without user" : `with user = ${user}`;
    return refuse(`group holds nobody back ${named}: set user to somebody else`);
  }
  return { kind: "plan", plan: { chroot, account: isRoot && isOther ? account : undefined } };
}

/** What to warn of at start; undefined when nothing. A `user` that is root was somebody's choice. */
export function privilegeWarning({ user }: PrivilegeRequest, starter: Account): string | undefined {
  if (starter.uid !== 0 || user !== undefined) return undefined;
  return "running as root: set user, so that who breaks into the server is not root";
}

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
      throw new StartupError(`${problem}: install Comanche where everybody may read`, { cause });
    }
  }
}

function refuse(reason: string): PrivilegeDecision {
  return { kind: "refused", reason };
}
