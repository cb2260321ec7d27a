/**
 * Whether permissions alone let somebody use a file or a folder: what root without capabilities could do, which root
 * cannot try out. Only owner, group and mode are looked at, not access control lists.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import type { Account } from "./account.ts";

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

/** Also true for what is not there: nothing is closed then. */
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
