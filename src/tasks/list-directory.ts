/**
 * The task "list-directory": reads a directory and renders its index. The only file of the index that touches the disk.
 *
 * Shown are regular files and directories, and links that lead to one where the policy lets links be followed. Names
 * are read as bytes, because a file system does not promise UTF-8. Everything is done in slices with a turn of the
 * event loop between them: 100,000 entries take their time, and others are served meanwhile.
 *
 * An entry may change while it is looked at. The worst that comes of it is a line about something that is gone: what a
 * link leads to is proven again when it is opened.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, opendir, realpath, stat } from "node:fs/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { bytes, unixMilliseconds } from "../base/units.ts";
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

/** How many entries are examined at a time, and how many names are read from the directory with one call. */
const EXAMINED_TOGETHER = 64;
const NAMES_A_READ = 256;
const MAX_README_BYTES = 64 * 1024;
const README_NAME = /^readme(?:\.txt|\.md)?$/i;
const README_NAMES = ["readme.txt", "readme.md", "readme"];
// O_NONBLOCK: a FIFO put in the file's place must not hold a thread until somebody writes to it.
const README_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const ASCII = /^[\x00-\x7f]*$/;

/**
 * @returns the page, or why the directory itself could not be read
 * @throws what no client and no ordinary state of a disk explains, such as EIO
 */
export async function listDirectory(input: ListDirectoryInput): Promise<ListDirectoryOutput> {
  const sort = parseListingQuery(input.query);
  let names: Names;
  try {
    names = await readNames(input);
  } catch (error) {
    const reason = failureOf(error);
    if (reason === undefined) throw error;
    return { kind: "failed", reason };
  }
  const listing = await makeListing(input, names, sort);
  const [mediaType, pieces] =
    input.form === "json"
      ? [LISTING_JSON_TYPE, renderListingJson(listing)]
      : [LISTING_PAGE_TYPE, renderListingPage(listing)];
  return { kind: "page", mediaType, bytes: await encodePieces(pieces), securityPolicy: LISTING_CSP };
}

async function makeListing(input: ListDirectoryInput, names: Names, sort: ListingSort): Promise<Listing> {
  const entries = sortEntries(await examineAll(input, names.shown), sort);
  return {
    segments: input.segments,
    siteName: input.siteName ?? "Home",
    sort,
    entries,
    notShown: names.notShown,
    readme: input.form === "html" ? await readReadme(input.directory, entries) : undefined,
  };
}

interface Names {
  readonly shown: readonly string[];
  readonly notShown: number;
}

async function readNames({ directory, dotfiles }: ListDirectoryInput): Promise<Names> {
  const shown: string[] = [];
  let notShown = 0;
  // Latin-1 is the encoding in which every byte is a character, so nothing is lost before it is decoded.
  for await (const { name: octets } of await opendir(directory, { encoding: "latin1", bufferSize: NAMES_A_READ })) {
    if (octets.startsWith(".") && !dotfiles) continue;
    const name = decodeName(octets);
    // A backslash is refused in a request's path, so no link could lead to this name.
    if (name === undefined || name.includes("\\")) notShown++;
    else shown.push(name);
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

async function examineAll(input: ListDirectoryInput, names: readonly string[]): Promise<ListingEntry[]> {
  const entries: ListingEntry[] = [];
  for (let start = 0; start < names.length; start += EXAMINED_TOGETHER) {
    const batch = names.slice(start, start + EXAMINED_TOGETHER);
    for (const entry of await Promise.all(batch.map((name) => examine(input, name)))) {
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries;
}

/** Undefined for what is not to be shown, and for what has gone or cannot be looked at. */
async function examine(input: ListDirectoryInput, name: string): Promise<ListingEntry | undefined> {
  let facts: Stats | undefined;
  try {
    const path = pathOf(input.directory, name);
    facts = await lstat(path);
    if (facts.isSymbolicLink()) facts = await followLink(input, path);
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

async function followLink({ symlinks, root }: ListDirectoryInput, path: string): Promise<Stats | undefined> {
  switch (symlinks) {
    case "never":
      return undefined;
    case "anywhere":
      return await stat(path);
    case "inside": {
      const target = await realpath(path);
      return isInside(root, target) ? await lstat(target) : undefined;
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
async function readReadme(directory: AbsolutePath, entries: readonly ListingEntry[]): Promise<Readme | undefined> {
  const candidates = entries.filter(({ kind, name }) => kind === "file" && README_NAME.test(name));
  for (const wanted of README_NAMES) {
    const entry = candidates.find(({ name }) => name.toLowerCase() === wanted);
    const readme = entry && (await readText(directory, entry.name));
    if (readme !== undefined) return readme;
  }
  return undefined;
}

async function readText(directory: AbsolutePath, name: string): Promise<Readme | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(pathOf(directory, name), README_FLAGS);
    if (!(await file.stat()).isFile()) return undefined;
    // One byte more than is shown, to know whether there is more.
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_README_BYTES + 1), 0);
    const content = buffer.subarray(0, Math.min(bytesRead, MAX_README_BYTES));
    if (content.includes(0)) return undefined;
    const complete = bytesRead <= MAX_README_BYTES;
    // `stream` leaves out a character that the cut went through.
    return { name, text: new TextDecoder().decode(content, { stream: !complete }), complete };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  } finally {
    await file?.close();
  }
}

function pathOf(directory: AbsolutePath, name: string): string {
  return `${directory}/${name}`;
}

async function encodePieces(pieces: Iterable<string>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for (const piece of pieces) {
    chunks.push(Buffer.from(piece));
    await nextTurn();
  }
  return Buffer.concat(chunks);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
