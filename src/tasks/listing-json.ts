/**
 * A directory index for programs.
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
 * `href` is relative to the URL of the directory and percent-encoded. `size` stands on files only. `modified` is null
 * when the file system's time is outside the years 0 to 9999. Later versions may add keys, and change none.
 */
import { entryHref, formatInstant, type Listing, type ListingEntry, totalsOf } from "./listing.ts";

export const LISTING_JSON_TYPE = "application/json";

const ENTRIES_A_PIECE = 500;

/** The document in pieces, so that the caller may do something else between them. */
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
  const href = entryHref(entry);
  return JSON.stringify(type === "file" ? { name, type, size, modified, href } : { name, type, modified, href });
}
