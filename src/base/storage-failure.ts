/**
 * Why something could not be stored, as far as a client may know: the one place that knows the system's errors of writing.
 */
import { errorCode } from "./errors.ts";

/** `no-space`: the disk is full, or the user's share of it. `unavailable`: any other reason the machine has. */
export type StorageFailure = "no-space" | "unavailable";

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
/** Codes of Node's own errors begin with ERR_. */
const SYSTEM_CODE = /^E(?!RR_)/;

/** Undefined for what no system call has thrown: our own fault. */
export function storageFailureOf(error: unknown): StorageFailure | undefined {
  const code = errorCode(error);
  if (code === undefined || !SYSTEM_CODE.test(code)) return undefined;
  return FULL.has(code) ? "no-space" : "unavailable";
}
