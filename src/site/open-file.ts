/**
 * Opens files and directories below a document root, and proves on the descriptor that they are inside.
 * The file is opened first; then the kernel says where the descriptor leads (`/proc/self/fd/N`). With `inside` that
 * place must be below the root's real path. With `never` it must equal the requested path, which a followed symbolic
 * link makes impossible. Later renames cannot change that, and unlike a walk from directory to directory it needs no
 * right to read the directories on the way.
 * Without /proc, as in a chroot, the real path of the name is checked, and then exactly that path is opened, component
 * by component without links. If the C library cannot be called, the descriptor's device and inode must equal those of
 * the real path. That stops links and swapped links, but not a process that moves whole directories back and forth
 * between two calls. A directory is verified again when it is listed: its real path may then contain no link.
 * All calls are synchronous: each reads metadata (1 to 5 µs while the kernel has it in memory). A round trip to a thread
 * costs more than all of them together.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { type AbsolutePath, absolutePath, isAllowedPlace, pathBelow, type SymlinkRule } from "../base/absolute-path.ts";
import { errorCode, fileFailureOf } from "../base/errors.ts";
import { bytes, type Seconds, seconds } from "../base/units.ts";
import type { FileIdentity } from "../http/file-identity.ts";
import type { Reason } from "../http/reason.ts";
import type { DescriptorPaths, DocumentRoot, ExactOpener } from "./document-root.ts";
import { type FileStamp, stampOf } from "./file-stamp.ts";

export type OpenResult = OpenedFile | FoundDirectory | Unopened;

/** A regular file, open for reading. The caller hands `descriptor` to `closeFile`. */
export interface OpenedFile {
  readonly kind: "file";
  readonly descriptor: number;
  readonly identity: FileIdentity;
  /** Nothing is stored for it, so its size may be a mere formality, as in sysfs and /proc. */
  readonly isSizeDoubtful: boolean;
  readonly stamp: FileStamp;
}

/** Inside the root when checked. Nothing is open: list it through `openDirectoryBelow`. */
export interface FoundDirectory {
  readonly kind: "directory";
}

export interface OpenedDirectory {
  readonly kind: "directory";
  /** The caller closes it. */
  readonly descriptor: number;
  /** Leads to this directory while `descriptor` is open, even if renamed; without /proc, its path when checked. */
  readonly path: AbsolutePath;
  /** Whether `path` is a real path that may be served: with any link followed on the way, one is elsewhere. */
  readonly isRealPath: boolean;
}

export type Unopened =
  | { readonly kind: "refused"; readonly status: 403 | 404; readonly reason: Reason }
  | {
      readonly kind: "busy";
      readonly reason: Reason;
      readonly retryAfter: Seconds;
      /** The code of the system's error, where the operator must know of it. */
      readonly fault?: string;
    };

// O_NONBLOCK: opening a FIFO would block the whole server until a writer opens it. Regular files ignore the flag.
// O_NOCTTY: a terminal opened by accident must not become ours.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

const NOT_FOUND: Unopened = { kind: "refused", status: 404, reason: "not-found" };
const NOT_A_FILE: Unopened = { kind: "refused", status: 404, reason: "not-a-file" };
const NAME_TOO_LONG: Unopened = { kind: "refused", status: 404, reason: "name-too-long" };
const SYMLINK_ESCAPE: Unopened = { kind: "refused", status: 404, reason: "symlink-escape" };
const NO_PERMISSION: Unopened = { kind: "refused", status: 403, reason: "no-permission" };
const OUT_OF_DESCRIPTORS: Unopened = { kind: "busy", reason: "out-of-descriptors", retryAfter: seconds(1) };

/** Soon another process serves, whose sandbox reaches the root. */
const ROOT_MOVED: Unopened = { kind: "busy", reason: "root-moved", retryAfter: seconds(1) };

/** A file system that has failed is rarely back within a moment. */
const RETRY_UNREADABLE = seconds(10);

const DELETED_MARK = " (deleted)";

// How often a name that was replaced between two looks is looked up again. One replacement is a deployment.
const MAX_ATTEMPTS = 3;

/**
 * @param segments  as in SitePath: none is empty, `.` or `..`, none holds a slash or NUL
 * @returns the file, or 404 for what is missing, outside, or neither file nor directory; 403 for what may not be read;
 *   busy when descriptors ran out, or the file system failed
 * @throws only for a fault of our own
 */
export function openBelow(root: DocumentRoot, segments: readonly string[], symlinks: SymlinkRule): OpenResult {
  return retryWhenReplaced(root, segments, symlinks, openNamed);
}

/** For listing; otherwise like `openBelow`. */
export function openDirectoryBelow(
  root: DocumentRoot,
  segments: readonly string[],
  symlinks: SymlinkRule,
): OpenedDirectory | Unopened {
  return retryWhenReplaced(root, segments, symlinks, openNamedDirectory);
}

/** Also of a file that was opened on a file system that is gone. */
export function closeFile(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch (error) {
    // Linux closes the descriptor whatever close(2) returns.
    if (fileFailureOf(error) === undefined) throw error;
  }
}

/** What the system's error means to a client. @throws what no system call has thrown */
export function explainFileError(error: unknown, symlinks: SymlinkRule): Unopened {
  switch (fileFailureOf(error)) {
    case "not-found":
      return NOT_FOUND;
    case "name-too-long":
      return NAME_TOO_LONG;
    case "link-loop":
      return symlinks === "never" ? SYMLINK_ESCAPE : NOT_FOUND;
    case "not-a-file":
      return NOT_A_FILE;
    case "no-permission":
      return NO_PERMISSION;
    case "out-of-descriptors":
      return OUT_OF_DESCRIPTORS;
    case "unreadable":
      return { kind: "busy", reason: "unreadable", retryAfter: RETRY_UNREADABLE, fault: errorCode(error) ?? "" };
    case undefined:
      throw error;
  }
}

/** To be called once, after any chroot: /proc is often missing inside. */
export function probeDescriptorPaths(): DescriptorPaths {
  let descriptor: number | undefined;
  try {
    // A directory that even a sandbox leaves open: a process may look at itself.
    descriptor = openSync("/proc/self", constants.O_RDONLY | constants.O_DIRECTORY);
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    return path === realpathSync.native("/proc/self") ? "proc" : "realpath";
  } catch {
    return "realpath";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

interface Lookup {
  readonly realRoot: AbsolutePath;
  readonly relativePath: string;
  readonly path: AbsolutePath;
  readonly symlinks: SymlinkRule;
  readonly root: DocumentRoot;
}

/** The name led to one file when it was opened and to another when that was checked. */
type Replaced = undefined;

function retryWhenReplaced<R>(
  root: DocumentRoot,
  segments: readonly string[],
  symlinks: SymlinkRule,
  look: (lookup: Lookup) => R | Unopened | Replaced,
): R | Unopened {
  let lookup: Lookup | undefined;
  try {
    const realRoot = root.realPath();
    if (realRoot === undefined) return explainMissingRoot(root);
    const relativePath = segments.join("/");
    lookup = { realRoot, relativePath, path: pathBelow(realRoot, relativePath), symlinks, root };
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const result = look(lookup);
      if (result !== undefined) return result;
    }
    return NOT_FOUND;
  } catch (error) {
    const explained = explainFileError(error, symlinks);
    // A sandbox denies everything outside, so a link that leads there cannot even be opened.
    return explained === NO_PERMISSION && leadsOutside(lookup) ? SYMLINK_ESCAPE : explained;
  }
}

/** By name alone, which proves nothing: this only chooses between two refusals. */
function leadsOutside(lookup: Lookup | undefined): boolean {
  if (lookup === undefined || lookup.symlinks === "anywhere") return false;
  const { symlinks, realRoot, path } = lookup;
  try {
    return !isAllowedPlace(symlinks, realRoot, path, realpathSync.native(path));
  } catch {
    return false;
  }
}

function openNamed(lookup: Lookup): OpenResult | Replaced {
  // Opening a device can have effects, so devices and FIFOs are rejected before. This proves nothing: the descriptor
  // does.
  const named = statSync(lookup.path, { throwIfNoEntry: false });
  if (named === undefined) return NOT_FOUND;
  if (named.isDirectory()) return findDirectory(lookup);
  if (!named.isFile()) return NOT_A_FILE;

  if (lookup.root.openExactly !== undefined && lookup.symlinks !== "anywhere") {
    return openNamedExactly(lookup, lookup.root.openExactly);
  }
  const flags = lookup.symlinks === "never" ? OPEN_FLAGS | constants.O_NOFOLLOW : OPEN_FLAGS;
  return keepIfOpened(openSync(lookup.path, flags), (descriptor) => {
    const stats = fstatSync(descriptor, { bigint: true });
    if (!stats.isFile()) return NOT_A_FILE;
    const place = provenPath(lookup, descriptor, stats);
    if (typeof place !== "string") return place;
    return describeFile(lookup, descriptor, stats, place);
  });
}

/** Resolves and checks the name's real path, then opens exactly that path. */
function openNamedExactly(lookup: Lookup, openExactly: ExactOpener): OpenResult {
  const place = absolutePath(realpathSync.native(lookup.path));
  if (!isAllowedPlace(lookup.symlinks, lookup.realRoot, lookup.path, place)) return SYMLINK_ESCAPE;
  return keepIfOpened(openExactly(place, OPEN_FLAGS), (descriptor) => {
    const stats = fstatSync(descriptor, { bigint: true });
    return stats.isFile() ? describeFile(lookup, descriptor, stats, place) : NOT_A_FILE;
  });
}

function openNamedDirectory(lookup: Lookup): OpenedDirectory | Unopened | Replaced {
  return keepIfOpened(openSync(lookup.path, OPEN_FLAGS | constants.O_DIRECTORY), (descriptor) => {
    const place = provenPath(lookup, descriptor, fstatSync(descriptor, { bigint: true }));
    if (typeof place !== "string") return place;
    if (lookup.root.descriptorPaths === "proc") {
      return { kind: "directory", descriptor, path: absolutePath(`/proc/self/fd/${descriptor}`), isRealPath: false };
    }
    return { kind: "directory", descriptor, path: place, isRealPath: lookup.symlinks !== "anywhere" };
  });
}

/** Checks only the name: a directory that can be searched but not read has files to serve, but cannot be opened. */
function findDirectory({ realRoot, path, symlinks }: Lookup): FoundDirectory | Unopened {
  if (symlinks === "anywhere") return { kind: "directory" };
  const realPath = absolutePath(realpathSync.native(path));
  return isAllowedPlace(symlinks, realRoot, path, realPath) ? { kind: "directory" } : SYMLINK_ESCAPE;
}

/** Closes the descriptor unless the result holds it. */
function keepIfOpened<R extends object | Replaced>(descriptor: number, examine: (descriptor: number) => R): R {
  let kept = false;
  try {
    const result = examine(descriptor);
    kept = result !== undefined && "descriptor" in result;
    return result;
  } finally {
    if (!kept) closeFile(descriptor);
  }
}

/** The real path of the open file, once proven to be allowed. */
function provenPath(lookup: Lookup, descriptor: number, stats: BigIntStats): AbsolutePath | Unopened | Replaced {
  const { realRoot, path, symlinks, root } = lookup;
  if (symlinks === "anywhere") return path;
  const place = root.descriptorPaths === "proc" ? pathOfDescriptor(descriptor, stats) : pathOfName(path, stats);
  if (place === undefined) return undefined;
  return isAllowedPlace(symlinks, realRoot, path, place) ? absolutePath(place) : SYMLINK_ESCAPE;
}

/** For a deleted file the kernel returns the last name with a mark at its end; but that may also be a name. */
function pathOfDescriptor(descriptor: number, stats: BigIntStats): string {
  const place = readlinkSync(`/proc/self/fd/${descriptor}`);
  if (!place.endsWith(DELETED_MARK) || isSameFile(place, stats)) return place;
  return place.slice(0, -DELETED_MARK.length);
}

/** @returns undefined when the name now leads to another file */
function pathOfName(path: AbsolutePath, stats: BigIntStats): string | undefined {
  const place = realpathSync.native(path);
  return isSameFile(place, stats) ? place : undefined;
}

function isSameFile(path: string, stats: BigIntStats): boolean {
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return found !== undefined && found.ino === stats.ino && found.dev === stats.dev;
  } catch {
    return false;
  }
}

/** A root that cannot be found is as missing, or as forbidden, as a file. */
function explainMissingRoot(root: DocumentRoot): Unopened {
  if (root.state().kind === "out-of-reach") return ROOT_MOVED;
  statSync(`${root.path}/.`);
  return NOT_FOUND;
}

function describeFile(
  { root, relativePath, symlinks }: Lookup,
  descriptor: number,
  stats: BigIntStats,
  realPath: AbsolutePath,
): OpenedFile {
  return {
    kind: "file",
    descriptor,
    identity: {
      device: stats.dev,
      inode: stats.ino,
      size: bytes(Number(stats.size)),
      modifiedNs: stats.mtimeNs,
      changedNs: stats.ctimeNs,
    },
    isSizeDoubtful: stats.blocks === 0n,
    stamp: stampOf(stats, { rootPath: root.path, relativePath, symlinks, realPath }),
  };
}
