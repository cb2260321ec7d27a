/** A directory index: its entries, their order, their links, and its JSON form for programs. */
import { compareNaturally, naturalKey } from "../base/natural-order.ts";
import { type Bytes, bytes, type UnixMilliseconds } from "../base/units.ts";
import type { ListingSort } from "../http/listing-query.ts";

export interface Listing {
  /** Decoded, from the root to this directory. */
  readonly segments: readonly string[];
  readonly sort: ListingSort;
  /** Sorted by `sort`. */
  readonly entries: readonly ListingEntry[];
  /** Names that no URL of ours can express: not UTF-8, or with a backslash. */
  readonly notShown: number;
  readonly readme: Readme | undefined;
}

export interface ListingEntry {
  readonly name: string;
  /** Of a link, what it leads to. */
  readonly kind: "directory" | "file";
  /** Zero for a directory. */
  readonly size: Bytes;
  readonly modified: UnixMilliseconds;
  /** `naturalKey(name)`, made once. */
  readonly sortKey: string;
}

export interface Readme {
  readonly name: string;
  readonly text: string;
  /** False when only the beginning is shown. */
  readonly complete: boolean;
}

export interface ListingTotals {
  readonly directories: number;
  readonly files: number;
  /** Of the files. */
  readonly size: Bytes;
}

export function makeEntry(
  name: string,
  kind: ListingEntry["kind"],
  size: Bytes,
  modified: UnixMilliseconds,
): ListingEntry {
  return { name, kind, size, modified, sortKey: naturalKey(name) };
}

/** A sorted copy: directories first; equal entries are in natural order of their names. */
export function sortEntries(entries: readonly ListingEntry[], sort: ListingSort): ListingEntry[] {
  const compare = comparison(sort);
  const directories = entries.filter((entry) => entry.kind === "directory").sort(compare);
  const files = entries.filter((entry) => entry.kind === "file").sort(compare);
  return directories.concat(files);
}

/**
 * A relative reference to an entry. Escapes prevent that a name is read as a scheme, host, query or fragment. There is no
 * `./` before it: httpdirfs shows only links that begin with a letter or a digit.
 * @throws for half a surrogate pair, which no name decoded from UTF-8 has
 */
export function entryHref({ name, kind }: Pick<ListingEntry, "name" | "kind">): string {
  const encoded = isPlainName(name) ? name : encodeURIComponent(name);
  return kind === "directory" ? `${encoded}/` : encoded;
}

const PLAIN = /^[A-Za-z0-9._~-]*$/;

/** Whether a name is the same in a URL and in HTML, as most are: looking costs less than encoding and escaping. */
export function isPlainName(name: string): boolean {
  return PLAIN.test(name);
}

/** ISO 8601 in UTC with milliseconds; undefined outside the years 0 to 9999, which file systems may hold by mistake. */
export function formatInstant(time: UnixMilliseconds): string | undefined {
  const date = new Date(time);
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.toISOString() : undefined;
}

export function totalsOf(entries: readonly ListingEntry[]): ListingTotals {
  let directories = 0;
  let size = 0;
  for (const entry of entries) {
    if (entry.kind === "directory") directories++;
    size += entry.size;
  }
  return { directories, files: entries.length - directories, size: bytes(size) };
}

function comparison({ column, order }: ListingSort): (a: ListingEntry, b: ListingEntry) => number {
  const direction = order === "ascending" ? 1 : -1;
  switch (column) {
    case "name":
      return (a, b) => direction * compareNames(a, b);
    case "modified":
      return (a, b) => direction * (a.modified - b.modified) || compareNames(a, b);
    case "size":
      return (a, b) => direction * (a.size - b.size) || compareNames(a, b);
  }
}

function compareNames(a: ListingEntry, b: ListingEntry): number {
  return compareNaturally(a.sortKey, b.sortKey, a.name, b.name);
}

export const LISTING_JSON_TYPE = "application/json";
const ENTRIES_A_PIECE = 500;

/**
 * The index for programs, in pieces.
 *
 *     { "path": "/docs/",          decoded, from the site's root; begins and ends with a slash
 *       "directories": 1,          how many entries of each type follow
 *       "files": 1,
 *       "size": 1204,              of the files together, in bytes
 *       "notShown": 0,             names that cannot be expressed in a URL
 *       "entries": [               in the order asked for
 *         { "name": "img", "type": "directory", "modified": "2024-03-15T10:30:00.000Z", "href": "./img/" },
 *         { "name": "a.txt", "type": "file", "size": 1204, "modified": "2024-03-15T10:30:00.000Z", "href": "./a.txt" } ] }
 *
 * `href` is relative to the URL of the directory and percent-encoded. Only files have `size`. `modified` is null
 * when the file system's time is outside the years 0 to 9999. Later versions may add keys, and change none.
 */
export function* renderListingJson(listing: Listing): Generator<string, void, undefined> {
  const path = `/${listing.segments.map((name) => `${name}/`).join("")}`;
  const head = JSON.stringify({ path, ...totalsOf(listing.entries), notShown: listing.notShown });
  yield `${head.slice(0, -1)},"entries":[`;

  for (let start = 0; start < listing.entries.length; start += ENTRIES_A_PIECE) {
    const piece = listing.entries.slice(start, start + ENTRIES_A_PIECE).map(renderEntry);
    yield `${start === 0 ? "\n" : ",\n"}${piece.join(",\n")}`;
  }
  yield "\n]}\n";
}

function renderEntry(entry: ListingEntry): string {
  const { name, kind: type, size } = entry;
  const modified = formatInstant(entry.modified) ?? null;
  const href = `./${entryHref(entry)}`;
  return JSON.stringify(type === "file" ? { name, type, size, modified, href } : { name, type, modified, href });
}
