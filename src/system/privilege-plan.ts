/**
 * What a worker process becomes before it talks to the network: another user, and shut into a folder, as the settings say
 * and the one who starts the server may. What cannot be done stops the start; nothing is left out.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { Account } from "./account.ts";

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
    return refuse(`chroot = ${chroot}: root can leave a chroot: set user to an unprivileged account`);
  }
  if (staysRoot && isOther) {
    const named = user === undefined ? "without user" : `with user = ${user}`;
    return refuse(`group ${named} has no effect for root: set user to an unprivileged account`);
  }
  return { kind: "plan", plan: { chroot, account: isRoot && isOther ? account : undefined } };
}

/** What to warn of at start; undefined when nothing. A `user` that is root was chosen. */
export function privilegeWarning({ user }: PrivilegeRequest, starter: Account): string | undefined {
  if (starter.uid !== 0 || user !== undefined) return undefined;
  return "worker processes run as root: set user to an unprivileged account";
}

function refuse(reason: string): PrivilegeDecision {
  return { kind: "refused", reason };
}
