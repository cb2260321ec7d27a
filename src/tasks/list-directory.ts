/**
 * The task "list-directory": reads a directory and renders its index: regular files, directories, and links to one
 * where the policy follows links. Names are read as bytes, because a file system does not guarantee UTF-8.
 * It blocks its thread throughout: synchronous calls cost 1.2 s of processor time for 100,000 entries, promises 2.8. It
 * also leaves the few file-system threads, which all threads share, to the event loop.
 * An entry may change meanwhile. At worst the index lists something that is gone: a link's target is verified again
 * when it is opened.
 */
import { realpathSync } from "node:fs";
import { type AbsolutePath, absolutePath, contains, type SymlinkRule } from "../base/absolute-path.ts";
import { errorCode, fileFailureOf } from "../base/errors.ts";
import { bytes, unixMilliseconds } from "../base/units.ts";
import { isTemporaryName } from "../base/upload-name.ts";
import { parseListingQuery } from "../http/listing-query.ts";
import { extensionOf } from "../http/media-type.ts";
import type { Reason } from "../http/reason.ts";
import {
  LISTING_JSON_TYPE,
  type Listing,
  type ListingEntry,
  makeEntry,
  type Readme,
  renderListingJson,
  sortEntries,
} from "./listing.ts";
import { LISTING_CSP } from "./listing-assets.ts";
import { LISTING_PAGE_TYPE, renderListingPage } from "./listing-page.ts";
import {
  type DirectoryOpener,
  type EntryFacts,
  lookThrough,
  type OpenDirectory,
  openDirectoryByName,
} from "./open-directory.ts";

export interface ListDirectoryInput {
  /**
   * Already proven to be inside the root: its real path, or `/proc/self/fd/N` of a descriptor that the caller keeps
   * open until the task has ended. Where links may lead anywhere, it can be any path.
   */
  readonly directory: AbsolutePath;
  /** `directory` is a real path: no link that it contains by now may be followed. */
  readonly isRealPath: boolean;
  /** Real path of the document root: where links must stay with `symlinks: "inside"`. */
  readonly root: AbsolutePath;
  /** The decoded names from the root to the directory, as in `SitePath.segments`. */
  readonly segments: readonly string[];
  /** The raw query of the request: the order asked for. */
  readonly query: string | undefined;
  readonly form: "html" | "json";
  readonly dotfiles: boolean;
  readonly symlinks: SymlinkRule;
  /** Extensions of the files to show, in lower case without dot; empty shows all. */
  readonly types: readonly string[];
}

export type ListDirectoryOutput =
  | {
      readonly kind: "page";
      readonly mediaType: string;
      readonly bytes: Uint8Array;
      readonly securityPolicy: string;
    }
  /** `fault`: the code of the system's error, where the operator must know of it. */
  | { readonly kind: "failed"; readonly reason: ListDirectoryFailure; readonly fault?: string }
  /** All clients that asked for it have left. */
  | { readonly kind: "stopped" };

/** Unreadable entries are not reported: only the directory itself can fail. */
export type ListDirectoryFailure = Extract<Reason, "not-found" | "no-permission" | "out-of-descriptors" | "unreadable">;

const MAX_README_BYTES = 64 * 1024;
const README_NAME = /^readme(?:\.txt|\.md)?$/i;
const README_NAMES = ["readme.txt", "readme.md", "readme"];
const ASCII = /^[\x00-\x7f]*$/;

/**
 * @param openExactly  opens a directory by its real path and follows no link on the way; without it, and for a
 *   directory that is not named by its real path, each call looks the name up again
 * @returns the page, whose bytes own their memory and can be transferred to another thread, or why the directory cannot
 *   be read
 * @param isStopped  asked now and then; after true nothing more is read
 * @throws only for a fault of our own
 */
export function listDirectory(
  input: ListDirectoryInput,
  openExactly?: DirectoryOpener,
  isStopped: () => boolean = () => false,
): ListDirectoryOutput {
  const open = (input.isRealPath ? openExactly : undefined) ?? openDirectoryByName;
  try {
    const directory = open(input.directory);
    try {
      return renderPage(input, makeListing(input, directory, isStopped), isStopped);
    } finally {
      directory.close();
    }
  } catch (error) {
    if (error === STOPPED) return { kind: "stopped" };
    const reason = failureOf(error);
    if (reason === undefined) throw error;
    return reason === "unreadable"
      ? { kind: "failed", reason, fault: errorCode(error) ?? "" }
      : { kind: "failed", reason };
  }
}

const STOPPED = new Error("the index is no longer wanted");
/** So many names are read or examined between two questions whether to stop. */
const NAMES_A_BATCH = 512;

/** The same items. @throws STOPPED between two batches, when asked to stop */
function* untilStopped<T>(items: Iterable<T>, batch: number, isStopped: () => boolean): Iterable<T> {
  let count = 0;
  for (const item of items) {
    if (count % batch === 0 && isStopped()) throw STOPPED;
    count += 1;
    yield item;
  }
}

function renderPage({ form }: ListDirectoryInput, listing: Listing, isStopped: () => boolean): ListDirectoryOutput {
  const [mediaType, pieces] =
    form === "json" ? [LISTING_JSON_TYPE, renderListingJson(listing)] : [LISTING_PAGE_TYPE, renderListingPage(listing)];
  return {
    kind: "page",
    mediaType,
    bytes: encodePieces(untilStopped(pieces, 1, isStopped)),
    securityPolicy: LISTING_CSP,
  };
}

function makeListing(input: ListDirectoryInput, directory: OpenDirectory, isStopped: () => boolean): Listing {
  const names = readNames(untilStopped(directory.names(), NAMES_A_BATCH, isStopped), input.dotfiles);
  const sort = parseListingQuery(input.query);
  const entries = sortEntries(examineAll(input, directory, untilStopped(names.shown, NAMES_A_BATCH, isStopped)), sort);
  return {
    segments: input.segments,
    sort,
    entries,
    notShown: names.notShown,
    readme: input.form === "html" ? readReadme(directory, entries) : undefined,
  };
}

interface Names {
  readonly shown: readonly string[];
  readonly notShown: number;
}

function readNames(names: Iterable<string>, dotfiles: boolean): Names {
  const shown: string[] = [];
  let notShown = 0;
  for (const octets of names) {
    if (octets.startsWith(".") && (!dotfiles || isTemporaryName(octets))) continue;
    const name = decodeName(octets);
    // A request's path with a backslash is rejected, so no link could lead to this name.
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

function examineAll(input: ListDirectoryInput, directory: OpenDirectory, names: Iterable<string>): ListingEntry[] {
  const entries: ListingEntry[] = [];
  for (const name of names) {
    const entry = examine(input, directory, name);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Undefined for what is not shown, and for what is gone or cannot be examined. */
function examine(input: ListDirectoryInput, directory: OpenDirectory, name: string): ListingEntry | undefined {
  let facts: EntryFacts | undefined;
  try {
    facts = directory.look(name);
    if (facts.kind === "link") facts = followLink(input, directory, name);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
  if (facts === undefined) return undefined;
  const modified = unixMilliseconds(Math.floor(facts.modified));
  if (facts.kind === "directory") return makeEntry(name, "directory", bytes(0), modified);
  const isShown = facts.kind === "file" && isAllowedType(name, input.types);
  return isShown ? makeEntry(name, "file", bytes(facts.size), modified) : undefined;
}

function followLink(input: ListDirectoryInput, directory: OpenDirectory, name: string): EntryFacts | undefined {
  const path = `${input.directory}/${name}`;
  switch (input.symlinks) {
    case "never":
      return undefined;
    case "anywhere":
      return lookThrough(path);
    case "inside": {
      const target = absolutePath(realpathSync.native(path));
      return contains(input.root, target) ? directory.lookAt(target) : undefined;
    }
  }
}

function isAllowedType(name: string, types: readonly string[]): boolean {
  return types.length === 0 || types.includes(extensionOf(name));
}

/** The first README that is a regular text file; a link is only listed. */
function readReadme(directory: OpenDirectory, entries: readonly ListingEntry[]): Readme | undefined {
  const candidates = entries.filter(({ kind, name }) => kind === "file" && README_NAME.test(name));
  for (const wanted of README_NAMES) {
    const entry = candidates.find(({ name }) => name.toLowerCase() === wanted);
    const readme = entry && readText(directory, entry.name);
    if (readme !== undefined) return readme;
  }
  return undefined;
}

function readText(directory: OpenDirectory, name: string): Readme | undefined {
  let beginning: Uint8Array | undefined;
  try {
    // One byte more than is shown, to detect that there is more.
    beginning = directory.read(name, MAX_README_BYTES + 1);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
  if (beginning === undefined) return undefined;
  const content = beginning.subarray(0, MAX_README_BYTES);
  if (content.includes(0)) return undefined;
  const complete = content.length === beginning.length;
  // `stream` omits a character that was cut.
  return { name, text: new TextDecoder().decode(content, { stream: !complete }), complete };
}

function encodePieces(rendered: Iterable<string>): Uint8Array {
  const pieces = Array.from(rendered);
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  // One buffer of its own, not part of a shared block. Another buffer per piece would double the size of the process
  // when all threads have made such pages.
  const page = Buffer.allocUnsafeSlow(length);
  let end = 0;
  for (const piece of pieces) end += page.write(piece, end);
  return page;
}

function failureOf(error: unknown): ListDirectoryFailure | undefined {
  const failure = fileFailureOf(error);
  switch (failure) {
    case "name-too-long":
    case "link-loop":
      return "not-found";
    case "not-a-file":
      return undefined;
    default:
      return failure;
  }
}
