/**
 * Landlock's rights as numbers (linux/landlock.h): which of them a kernel's version knows, and what this server grants.
 *
 * Everything a version knows is handled, and so refused, but for what a rule allows below a folder. Not held back by any
 * version: changing mode, owner and times of files, and looking at names (stat, readlink).
 */
import type { AbsolutePath } from "../base/absolute-path.ts";

/** What the three numbers of landlock_create_ruleset(2) handle; bits as in linux/landlock.h. */
export interface LandlockAttributes {
  readonly fileSystem: number;
  readonly network: number;
  readonly scoped: number;
}

/** Rights `access` on everything below `path`. */
export interface LandlockRule {
  readonly path: AbsolutePath;
  readonly access: number;
}

/** What a rule allows in fact: the file or folder that had its path when the rule was made. */
export interface AllowedPlace {
  readonly device: number;
  readonly inode: number;
  readonly access: number;
}

const EXECUTE = 1 << 0;
const WRITE_FILE = 1 << 1;
const READ_FILE = 1 << 2;
const READ_DIR = 1 << 3;
const REMOVE_FILE = 1 << 5;
const MAKE_DIR = 1 << 7;
const MAKE_REG = 1 << 8;
const TRUNCATE = 1 << 14;
const IOCTL_DEV = 1 << 15;
const RESOLVE_UNIX = 1 << 16;

const BIND_TCP = 1 << 0;
const CONNECT_TCP = 1 << 1;

/** What can be allowed on something that is not a directory; the kernel refuses a rule that says more. */
export const FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/** Serve what is there: read files, list folders. */
export const MAY_READ = READ_FILE | READ_DIR;
export const MAY_RUN = MAY_READ | EXECUTE;
/** A device, such as /dev/null. */
export const MAY_READ_AND_WRITE = MAY_READ | WRITE_FILE;
/** Store uploads: a new file, written, linked to its name within its folder, and its temporary name removed. */
export const MAY_STORE = MAY_READ | WRITE_FILE | MAKE_REG | REMOVE_FILE;
/** Make the upload directory of a host below it, too. */
export const MAY_STORE_BELOW = MAY_STORE | MAKE_DIR;

interface Step {
  readonly version: number;
  readonly adds: Partial<LandlockAttributes>;
}

// Version 7 brought the kernel's audit log, and 8 confining all threads at once, which execve does for us.
const STEPS: readonly Step[] = [
  { version: 1, adds: { fileSystem: (1 << 13) - 1 } },
  // REFER: moving and linking between folders.
  { version: 2, adds: { fileSystem: 1 << 13 } },
  { version: 3, adds: { fileSystem: TRUNCATE } },
  // Binding and connecting TCP sockets: those of the server come bound.
  { version: 4, adds: { network: BIND_TCP | CONNECT_TCP } },
  { version: 5, adds: { fileSystem: IOCTL_DEV } },
  // Abstract Unix sockets, and signals, of whom is not in the same domain.
  { version: 6, adds: { scoped: 0b11 } },
  // Connecting to Unix sockets by path.
  { version: 9, adds: { fileSystem: RESOLVE_UNIX } },
];

/** The first version that holds back writing to files completely: before it, truncate(2) is free. */
export const FIRST_COMPLETE_VERSION = 3;

/** What is not held back although it could be. */
export type FreedRight = "connect-tcp" | "connect-unix";

/** Everything a version can hold back, but for what is freed. */
export function attributesOf(version: number, freed: readonly FreedRight[] = []): LandlockAttributes {
  const sum = { fileSystem: 0, network: 0, scoped: 0 };
  for (const { version: since, adds } of STEPS) {
    if (since > version) continue;
    sum.fileSystem |= adds.fileSystem ?? 0;
    sum.network |= adds.network ?? 0;
    sum.scoped |= adds.scoped ?? 0;
  }
  if (freed.includes("connect-tcp")) sum.network &= ~CONNECT_TCP;
  if (freed.includes("connect-unix")) sum.fileSystem &= ~RESOLVE_UNIX;
  return sum;
}

/**
 * The newest version whose rights the kernel really takes. Distributors bring single features to old kernels, and at
 * least one (RHEL 9) says a version of which it lacks a part.
 *
 * @returns 0 when it takes none
 */
export function decideVersion(told: number, accepts: (attributes: LandlockAttributes) => boolean): number {
  for (let version = told; version > 0; version -= 1) {
    if (accepts(attributesOf(version))) return version;
  }
  return 0;
}

/** What a version leaves free that a later one holds back, in words. */
export function describeGaps(version: number): readonly string[] {
  const gaps: readonly (readonly [since: number, what: string])[] = [
    [3, "truncating files"],
    [4, "TCP connections"],
    [6, "signals"],
  ];
  return gaps.flatMap(([since, what]) => (version < since ? [what] : []));
}
