/**
 * Opens files and directories below a document root, and proves on the descriptor that what was opened lies inside.
 *
 * Never is a name checked and then opened: the file is opened first, and then the kernel is asked where the descriptor leads
 * (`/proc/self/fd/N`). With `inside` that place must lie below the root's real path; with `never` it must be exactly the
 * place that was asked for, which it is not when a symbolic link was followed. That holds for a descriptor however names
 * are swapped meanwhile, and unlike a walk from directory to directory it needs no right to read the directories on the way.
 *
 * Without /proc, as in a chroot, the real path of the name is judged, and then exactly that path is opened, one part after
 * the other and none of them a link. Where that is not possible either, because the C library cannot be called, the
 * descriptor's device and inode are compared with those of the real path. That stops links, and the swapping of links;
 * someone who can move whole directories back and forth between two calls could still slip through. A directory is proven once
 * more when it is listed: by then nothing may be a link of what was its real path.
 *
 * All calls are synchronous: each is one short look at metadata (1 to 5 µs while the kernel has it in memory), and a hop
 * to a thread and back costs more than all of them together.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { type AbsolutePath, absolutePath, isAllowedPlace, pathBelow, type SymlinkRule } from "../base/absolute-path.ts";
import { fileFailureOf } from "../base/errors.ts";
import { bytes, type Seconds, seconds, type UnixSeconds, unixSeconds } from "../base/units.ts";
import type { Reason } from "../http/reason.ts";
import type { OpenSource } from "../http/response-plan.ts";
import type { DescriptorPaths, DocumentRoot, ExactOpener } from "./document-root.ts";
import { type FileStamp, stampOf, wholeSeconds } from "./file-stamp.ts";

export type OpenResult = OpenedFile | FoundDirectory | Unopened;

/** A regular file, open for reading. Its `descriptor` is the caller's to close. */
export interface OpenedFile extends OpenSource {
  readonly kind: "file";
  /** Whole seconds, rounded down. */
  readonly modified: UnixSeconds;
  readonly stamp: FileStamp;
}

/** A directory inside the root at the moment of looking. Nothing is open: list it through `openDirectoryBelow`. */
export interface FoundDirectory {
  readonly kind: "directory";
}

export interface OpenedDirectory {
  readonly kind: "directory";
  /** The caller's to close. */
  readonly descriptor: number;
  /**
   * Leads to this very directory, whatever becomes of its name, for as long as `descriptor` is open; without /proc, where it
   * was a moment ago.
   */
  readonly path: AbsolutePath;
  /** Whether `path` is a real path that may be served: with any link followed on the way, one is elsewhere. */
  readonly isRealPath: boolean;
}

export type Unopened =
  | { readonly kind: "refused"; readonly status: 403 | 404; readonly reason: Reason }
  | { readonly kind: "busy"; readonly reason: Reason; readonly retryAfter: Seconds };

// O_NONBLOCK: opening a FIFO would otherwise wait for a writer, and the whole server with it. Regular files ignore the flag.
// O_NOCTTY: a terminal opened by accident must not become ours.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

const NOT_FOUND: Unopened = { kind: "refused", status: 404, reason: "not-found" };
const NOT_A_FILE: Unopened = { kind: "refused", status: 404, reason: "not-a-file" };
const NAME_TOO_LONG: Unopened = { kind: "refused", status: 404, reason: "name-too-long" };
const SYMLINK_ESCAPE: Unopened = { kind: "refused", status: 404, reason: "symlink-escape" };
const NO_PERMISSION: Unopened = { kind: "refused", status: 403, reason: "no-permission" };
const OUT_OF_DESCRIPTORS: Unopened = { kind: "busy", reason: "out-of-descriptors", retryAfter: seconds(1) };

const DELETED_MARK = " (deleted)";

// How often a name is looked up again that was replaced between two looks at it. One replacement is a deployment.
const MAX_ATTEMPTS = 3;

/**
 * Opens the regular file at `segments` below the root, or says what else is there.
 *
 * @param segments  as in SitePath: none is empty, `.` or `..`, none holds a slash or NUL
 * @returns 404 for what is missing, outside, or neither file nor directory; 403 for what may not be read; busy when
 *          descriptors ran out
 * @throws only for a fault of the machine, such as an input/output error
 */
export function openBelow(root: DocumentRoot, segments: readonly string[], symlinks: SymlinkRule): OpenResult {
  return retryWhenReplaced(root, segments, symlinks, openNamed);
}

/** Opens the directory at `segments` below the root for listing; otherwise like `openBelow`. */
export function openDirectoryBelow(
  root: DocumentRoot,
  segments: readonly string[],
  symlinks: SymlinkRule,
): OpenedDirectory | Unopened {
  return retryWhenReplaced(root, segments, symlinks, openNamedDirectory);
}

/** @returns the whole file, or undefined when it is no longer the file of `identity`, or did not stay so while it was read */
export function readWhole({ descriptor, identity }: OpenSource): Uint8Array | undefined {
  const content = Buffer.allocUnsafeSlow(identity.size);
  let filled = 0;
  while (filled < content.length) {
    const count = readSync(descriptor, content, filled, content.length - filled, filled);
    if (count === 0) return undefined;
    filled += count;
  }
  const now = fstatSync(descriptor, { bigint: true });
  return now.size === BigInt(identity.size) && now.mtimeNs === identity.modifiedNs ? content : undefined;
}

/** What the file system's complaint means to a client. @throws what is a fault of the machine */
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
    case undefined:
      throw error;
  }
}

/** To be asked once, after any chroot: /proc is often not there inside. */
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

/** One name below a root whose real path is known. */
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
    // A sandbox closes all that is outside, so a link that leads there cannot even be opened.
    return explained === NO_PERMISSION && leadsOutside(lookup) ? SYMLINK_ESCAPE : explained;
  }
}

/** By its name alone, which proves nothing: this only chooses between two refusals. */
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
  // Devices and FIFOs are turned away before they are opened, because opening a device can do something. This look proves
  // nothing: what counts is the descriptor.
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

/** First the place is found by the name and judged, then exactly that place is opened. */
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

/** Only the name is looked at: a directory that may be searched and not read has files to serve, but cannot be opened. */
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
    if (!kept) closeSync(descriptor);
  }
}

/** Where the open file really is, once that is proven to be a place the rule allows. */
function provenPath(lookup: Lookup, descriptor: number, stats: BigIntStats): AbsolutePath | Unopened | Replaced {
  const { realRoot, path, symlinks, root } = lookup;
  if (symlinks === "anywhere") return path;
  const place = root.descriptorPaths === "proc" ? pathOfDescriptor(descriptor, stats) : pathOfName(path, stats);
  if (place === undefined) return undefined;
  return isAllowedPlace(symlinks, realRoot, path, place) ? absolutePath(place) : SYMLINK_ESCAPE;
}

/** Of a file whose name is gone, the kernel gives the last name with a mark at its end; but that may also be a name. */
function pathOfDescriptor(descriptor: number, stats: BigIntStats): string {
  const place = readlinkSync(`/proc/self/fd/${descriptor}`);
  if (!place.endsWith(DELETED_MARK) || isSameFile(place, stats)) return place;
  return place.slice(0, -DELETED_MARK.length);
}

/** @returns undefined when the name leads to another file by now */
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
    },
    modified: unixSeconds(Number(wholeSeconds(stats.mtimeNs))),
    stamp: stampOf(stats, { rootPath: root.path, relativePath, symlinks, realPath }),
  };
}
