/**
 * Opens a directory so that no link is followed on the way, and reads it by its descriptor from then on.
 *
 * A part of a real path can become a link that leads outside right after the path was checked. So each name of the path is
 * opened below the directory before it, and none may be a link. This needs search permission only, as any look-up does.
 */
import { closeSync, constants, openSync } from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { type OpenDirectory, READ_FLAGS, readBeginning } from "../tasks/open-directory.ts";
import { type FileCalls, O_PATH, parseDirectoryNames } from "./native-files.ts";

type ReadingCalls = Pick<FileCalls, "openAt" | "readDirectory" | "statAt">;

/** What readdir(3) uses: a thousand names and more with one call. */
const NAMES_BUFFER_BYTES = 32 * 1024;
const ON_THE_WAY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const TO_READ = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * @param path  a real path, as realpath(3) gave it
 * @throws NativeError `ENOTDIR` or `ELOOP` also when a part of it has become a link
 */
export function openExactDirectory(native: ReadingCalls, path: AbsolutePath): OpenDirectory {
  const directory = atExactPath(native, path, (parent, name) => native.openAt(parent, name, TO_READ));
  return {
    names: () => namesOf(native, directory),
    look: (name) => native.statAt(directory, name),
    lookAt: (place) => atExactPath(native, place, native.statAt),
    read: (name, limit) => readBeginning(native.openAt(directory, name, READ_FLAGS), limit),
    close: () => closeSync(directory),
  };
}

/**
 * Opens what lies at a real path, so that no link is followed on the way.
 *
 * @returns a descriptor, the caller's to close
 * @throws NativeError `ENOTDIR` or `ELOOP` also when a part of the path has become a link
 */
export function openExactPath(native: Pick<FileCalls, "openAt">, path: AbsolutePath, flags: number): number {
  return atExactPath(native, path, (parent, name) => native.openAt(parent, name, flags | constants.O_NOFOLLOW));
}

/** @param act  is given the open directory that the last name of the path stands in, and that name, and follows no link */
function atExactPath<R>(
  native: Pick<FileCalls, "openAt">,
  path: AbsolutePath,
  act: (parent: number, name: string) => R,
): R {
  const names = path.split("/").filter((name) => name !== "");
  const last = names.pop() ?? ".";
  let parent = openSync("/", ON_THE_WAY);
  try {
    for (const name of names) {
      const next = native.openAt(parent, name, ON_THE_WAY);
      closeSync(parent);
      parent = next;
    }
    return act(parent, last);
  } finally {
    closeSync(parent);
  }
}

function* namesOf(native: ReadingCalls, directory: number): Iterable<string> {
  const buffer = Buffer.allocUnsafeSlow(NAMES_BUFFER_BYTES);
  for (let length = -1; length !== 0; ) {
    length = native.readDirectory(directory, buffer);
    yield* parseDirectoryNames(buffer.subarray(0, length));
  }
}
