/**
 * What the index asks of a directory, and how to ask it by name. The other way, by descriptor, needs more than Node
 * offers, and the caller passes it to the task.
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

/** A directory that is open until `close`. Every call blocks, and throws system errors with their `code`. */
export interface OpenDirectory {
  /** Without `.` and `..`, each once, in no order. Each byte is one character (Latin-1): names need not be UTF-8. */
  names(): Iterable<string>;
  /** Of a link, the link itself. */
  look(name: string): EntryFacts;
  /** @param path  a real path anywhere, from realpath(3) */
  lookAt(path: AbsolutePath): EntryFacts;
  /** The first `limit` bytes of a regular file, undefined for anything else. Does not wait for a FIFO. */
  read(name: string, limit: number): Uint8Array | undefined;
  close(): void;
}

export interface EntryFacts {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** Milliseconds, perhaps with a fraction, before 1970 negative. */
  readonly modified: number;
}

/** @throws when `path` is not a readable directory */
export type DirectoryOpener = (path: AbsolutePath) => OpenDirectory;

/** Names per read call. */
const NAMES_A_READ = 256;
// O_NONBLOCK: a FIFO that replaced the file must not hold a thread until it is written to.
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Looks each name up from the root of the file system: only for a `path` that cannot be made to lead elsewhere. */
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

/** Follows links. */
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
