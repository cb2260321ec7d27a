/**
 * What the index asks of a directory, and the way to ask it by name. The other way, by descriptor, needs more than Node
 * has, and is given to the task from outside.
 */
import {
  closeSync,
  constants,
  type Dir,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";

/** A directory that is open until `close`. Every call blocks, and throws what the system complains of, with its `code`. */
export interface OpenDirectory {
  /** All names but `.` and `..`, once, in no order. Each byte is one character (Latin-1): names need not be UTF-8. */
  names(): Iterable<string>;
  /** The entry of that name; of a link, the link itself. */
  look(name: string): EntryFacts;
  /**
   * What lies at a real path anywhere.
   *
   * @param path  as realpath(3) gave it
   */
  lookAt(path: AbsolutePath): EntryFacts;
  /**
   * The beginning of the regular file of that name, or undefined for anything else. A FIFO is not waited for.
   *
   * @param limit  most bytes
   */
  read(name: string, limit: number): Uint8Array | undefined;
  close(): void;
}

export interface EntryFacts {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** When it was modified: milliseconds, perhaps with a fraction, before 1970 negative. */
  readonly modified: number;
}

/** @throws when `path` is not a directory that may be read */
export type DirectoryOpener = (path: AbsolutePath) => OpenDirectory;

/** How many names are read from the directory with one call. */
const NAMES_A_READ = 256;
// O_NONBLOCK: a FIFO put in the file's place must not hold a thread until something is written to it.
/** How a file is opened to be read by `readBeginning`. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Looks each name up from the root of the file system: fit for a `path` that cannot be made to lead elsewhere. */
export function openDirectoryByName(path: AbsolutePath): OpenDirectory {
  const opened = opendirSync(path, { encoding: "latin1", bufferSize: NAMES_A_READ });
  return {
    names: () => namesOf(opened),
    look: (name) => factsOf(lstatSync(`${path}/${name}`)),
    lookAt: (place) => factsOf(lstatSync(place)),
    read: (name, limit) => readBeginning(openSync(`${path}/${name}`, READ_FLAGS), limit),
    close: () => opened.closeSync(),
  };
}

/** What a path leads to, links followed. */
export function lookThrough(path: string): EntryFacts {
  return factsOf(statSync(path));
}

/** Closes the descriptor. Undefined when it is not a regular file's. */
export function readBeginning(descriptor: number, limit: number): Uint8Array | undefined {
  try {
    if (!fstatSync(descriptor).isFile()) return undefined;
    const buffer = Buffer.alloc(limit);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, limit, 0));
  } finally {
    closeSync(descriptor);
  }
}

function* namesOf(opened: Dir): Iterable<string> {
  for (let next = opened.readSync(); next !== null; next = opened.readSync()) yield next.name;
}

function factsOf(stats: Stats): EntryFacts {
  return { kind: kindOf(stats), size: stats.size, modified: stats.mtimeMs };
}

function kindOf(stats: Stats): EntryFacts["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "link" : "other";
}
