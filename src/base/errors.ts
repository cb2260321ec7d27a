/**
 * Errors: those that end a start, and what the system's errors mean. A client learns no more of them than the kinds of
 * failure here.
 */

/** The server could not start, or a command could not be carried out: exit status 1, the message alone on stderr. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** The code (`ENOENT`, `EADDRINUSE`, …) of a system error, or undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** What `act` gives, or undefined when it throws: for where every failure means the same. */
export function attempt<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** The end of an exhaustive `switch`: a forgotten case does not compile, and one that arrives anyway throws. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}

/** Why something could not be read. `link-loop` is also what a link is to those who follow none (O_NOFOLLOW). */
export type FileFailure =
  | "not-found"
  | "name-too-long"
  | "link-loop"
  | "not-a-file"
  | "no-permission"
  | "out-of-descriptors"
  /** The file system failed: a disk, a server or a FUSE process that is gone, or one that wants to be asked later. */
  | "unreadable";

const FILE_FAILURES: ReadonlyMap<string | undefined, FileFailure> = new Map([
  ["ENOENT", "not-found"],
  ["ENOTDIR", "not-found"],
  ["ENAMETOOLONG", "name-too-long"],
  ["ELOOP", "link-loop"],
  ["ENXIO", "not-a-file"],
  ["EACCES", "no-permission"],
  ["EPERM", "no-permission"],
  ["EMFILE", "out-of-descriptors"],
  ["ENFILE", "out-of-descriptors"],
]);

/** Codes of Node's own errors begin with ERR_. */
const SYSTEM_CODE = /^E(?!RR_)/;
/** What only a fault of our own can cause: a descriptor that is not open, an address that is none. */
const OUR_FAULTS: ReadonlySet<string> = new Set(["EBADF", "EFAULT"]);

/** Undefined for what no system call has thrown, and for our own faults. */
export function fileFailureOf(error: unknown): FileFailure | undefined {
  const code = errorCode(error);
  if (code === undefined || !SYSTEM_CODE.test(code) || OUR_FAULTS.has(code)) return undefined;
  return FILE_FAILURES.get(code) ?? "unreadable";
}

/** Why something could not be stored. `no-space`: the disk is full, or the user's share of it. `unavailable`: any other reason the machine has. */
export type StorageFailure = "no-space" | "unavailable";

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
/** Undefined for what no system call has thrown: our own fault. */
export function storageFailureOf(error: unknown): StorageFailure | undefined {
  const code = errorCode(error);
  if (code === undefined || !SYSTEM_CODE.test(code)) return undefined;
  return FULL.has(code) ? "no-space" : "unavailable";
}
