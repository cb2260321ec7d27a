/**
 * The task "list-directory": reads a directory and renders its index. The only file of the index that touches the disk.
 *
 * Shown are regular files and directories, and links that lead to one where the policy lets links be followed. Names
 * are read as bytes, because a file system does not promise UTF-8.
 *
 * It blocks its thread from beginning to end. One call after the other costs 1.2 s of processor time for 100,000 entries
 * where promises cost 2.8, and leaves the few file-system threads, which all threads share, to the event loop.
 *
 * An entry may change while it is looked at. The worst that comes of it is a line about something that is gone: what a
 * link leads to is proven again when it is opened.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { bytes, unixMilliseconds } from "../base/units.ts";
import { isTemporaryName } from "../base/upload-name.ts";
import { extensionOf } from "../http/media-type.ts";
import {
  type Listing,
  type ListingEntry,
  type ListingSort,
  makeEntry,
  parseListingQuery,
  type Readme,
  sortEntries,
} from "./listing.ts";
import { LISTING_CSP } from "./listing-assets.ts";
import { LISTING_JSON_TYPE, renderListingJson } from "./listing-json.ts";
import { LISTING_PAGE_TYPE, renderListingPage } from "./listing-page.ts";
import type { ListDirectoryFailure, ListDirectoryInput, ListDirectoryOutput } from "./task-types.ts";

/** How many names are read from the directory with one call. */
const NAMES_A_READ = 256;
const MAX_README_BYTES = 64 * 1024;
const README_NAME = /^readme(?:\.txt|\.md)?$/i;
const README_NAMES = ["readme.txt", "readme.md", "readme"];
// O_NONBLOCK: a FIFO put in the file's place must not hold a thread until somebody writes to it.
const README_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const ASCII = /^[\x00-\x7f]*$/;

/**
 * @returns the page, whose bytes own their memory and so can go to another thread; or why the directory itself could
 *          not be read
 * @throws what no client and no ordinary state of a disk explains, such as EIO
 */
export function listDirectory(input: ListDirectoryInput): ListDirectoryOutput {
  const sort = parseListingQuery(input.query);
  let names: Names;
  try {
    names = readNames(input);
  } catch (error) {
    const reason = failureOf(error);
    if (reason === undefined) throw error;
    return { kind: "failed", reason };
  }
  const listing = makeListing(input, names, sort);
  const [mediaType, pieces] =
    input.form === "json"
      ? [LISTING_JSON_TYPE, renderListingJson(listing)]
      : [LISTING_PAGE_TYPE, renderListingPage(listing)];
  return { kind: "page", mediaType, bytes: encodePieces(pieces), securityPolicy: LISTING_CSP };
}

function makeListing(input: ListDirectoryInput, names: Names, sort: ListingSort): Listing {
  const entries = sortEntries(examineAll(input, names.shown), sort);
  return {
    segments: input.segments,
    siteName: input.siteName ?? "Home",
    sort,
    entries,
    notShown: names.notShown,
    readme: input.form === "html" ? readReadme(input.directory, entries) : undefined,
  };
}

interface Names {
  readonly shown: readonly string[];
  readonly notShown: number;
}

function readNames({ directory, dotfiles }: ListDirectoryInput): Names {
  const shown: string[] = [];
  let notShown = 0;
  // Latin-1 is the encoding in which every byte is a character, so nothing is lost before it is decoded.
  const opened = opendirSync(directory, { encoding: "latin1", bufferSize: NAMES_A_READ });
  try {
    for (let next = opened.readSync(); next !== null; next = opened.readSync()) {
      const octets = next.name;
      if (octets.startsWith(".") && (!dotfiles || isTemporaryName(octets))) continue;
      const name = decodeName(octets);
      // A backslash is refused in a request's path, so no link could lead to this name.
      if (name === undefined || name.includes("\\")) notShown++;
      else shown.push(name);
    }
  } finally {
    opened.closeSync();
  }
  return { shown, notShown };
}

/** Undefined when the bytes are not UTF-8. */
function decodeName(octets: string): string | undefined {
  if (ASCII.test(octets)) return octets;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(octets, "latin1"));
  } catch {
    return undefined;
  }
}

function examineAll(input: ListDirectoryInput, names: readonly string[]): ListingEntry[] {
  const entries: ListingEntry[] = [];
  for (const name of names) {
    const entry = examine(input, name);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Undefined for what is not to be shown, and for what has gone or cannot be looked at. */
function examine(input: ListDirectoryInput, name: string): ListingEntry | undefined {
  let facts: Stats | undefined;
  try {
    const path = pathOf(input.directory, name);
    facts = lstatSync(path);
    if (facts.isSymbolicLink()) facts = followLink(input, path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
  if (facts === undefined) return undefined;
  const modified = unixMilliseconds(Math.floor(facts.mtimeMs));
  if (facts.isDirectory()) return makeEntry(name, "directory", bytes(0), modified);
  if (facts.isFile() && isAllowedType(name, input.types)) return makeEntry(name, "file", bytes(facts.size), modified);
  return undefined;
}

function followLink({ symlinks, root }: ListDirectoryInput, path: string): Stats | undefined {
  switch (symlinks) {
    case "never":
      return undefined;
    case "anywhere":
      return statSync(path);
    case "inside": {
      const target = realpathSync.native(path);
      return isInside(root, target) ? lstatSync(target) : undefined;
    }
  }
}

function isInside(root: AbsolutePath, path: string): boolean {
  return path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`);
}

function isAllowedType(name: string, types: readonly string[]): boolean {
  return types.length === 0 || types.includes(extensionOf(name));
}

/** The first README that is a plain file and text; one that is a link is left to its own line in the table. */
function readReadme(directory: AbsolutePath, entries: readonly ListingEntry[]): Readme | undefined {
  const candidates = entries.filter(({ kind, name }) => kind === "file" && README_NAME.test(name));
  for (const wanted of README_NAMES) {
    const entry = candidates.find(({ name }) => name.toLowerCase() === wanted);
    const readme = entry && readText(directory, entry.name);
    if (readme !== undefined) return readme;
  }
  return undefined;
}

function readText(directory: AbsolutePath, name: string): Readme | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(pathOf(directory, name), README_FLAGS);
    if (!fstatSync(descriptor).isFile()) return undefined;
    // One byte more than is shown, to know whether there is more.
    const buffer = Buffer.alloc(MAX_README_BYTES + 1);
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    const content = buffer.subarray(0, Math.min(length, MAX_README_BYTES));
    if (content.includes(0)) return undefined;
    const complete = length <= MAX_README_BYTES;
    // `stream` leaves out a character that the cut went through.
    return { name, text: new TextDecoder().decode(content, { stream: !complete }), complete };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function pathOf(directory: AbsolutePath, name: string): string {
  return `${directory}/${name}`;
}

function encodePieces(rendered: Iterable<string>): Uint8Array {
  const pieces = Array.from(rendered);
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  // One buffer, and not one cut out of a block that others share. One for each piece besides would leave the process
  // twice as large when all threads have made such pages.
  const page = Buffer.allocUnsafeSlow(length);
  let end = 0;
  for (const piece of pieces) end += page.write(piece, end);
  return page;
}

function failureOf(error: unknown): ListDirectoryFailure | undefined {
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ELOOP":
      return "not-found";
    case "EACCES":
    case "EPERM":
      return "no-permission";
    case "EMFILE":
    case "ENFILE":
      return "out-of-descriptors";
    default:
      return undefined;
  }
}
