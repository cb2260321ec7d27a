/**
 * A directory index for people: one HTML page that fetches nothing and is complete without its script. Names come from
 * all who can write a file: links percent-encode them, text escapes them and shows invisible characters. Rows are short
 * (closing tags that HTML does not need are left out): there may be 100,000.
 */
import { escapeHtml } from "../base/html.ts";
import { formatCount, formatExactSize, formatHumanSize } from "../base/human-size.ts";
import { formatListingQuery, type ListingSort } from "../http/listing-query.ts";
import {
  entryHref,
  formatInstant,
  isPlainName,
  type Listing,
  type ListingEntry,
  type Readme,
  totalsOf,
} from "./listing.ts";
import { FAVICON, iconClass, LISTING_SCRIPT, LISTING_STYLE } from "./listing-assets.ts";

/** The document root's name in the breadcrumbs. */
const ROOT_NAME = "Home";
export const LISTING_PAGE_TYPE = "text/html; charset=utf-8";
/** Rows per `tbody`, which the browser skips as one when out of sight, and which is rendered as one piece. */
const ROWS_A_GROUP = 250;
/** From this number of rows on, groups out of sight are skipped. */
const LONG_LISTING = 1000;
/** Below this a filter box is useless. */
const WORTH_FILTERING = 8;

const COLUMNS = [
  { column: "name", title: "Name", zone: "" },
  { column: "modified", title: "Modified", zone: ' <span class="zone">(UTC)</span>' },
  { column: "size", title: "Size", zone: "" },
] as const;

// Controls, line separators, and the marks that embed, override or isolate a text direction.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** The page in pieces, so that the caller can do something else between them. */
export function* renderListingPage(listing: Listing): Generator<string, void, undefined> {
  const { entries, segments, readme } = listing;
  yield renderHead(segments);
  yield renderHeader(listing);
  yield `<main>\n<table aria-labelledby="folder"${entries.length >= LONG_LISTING ? ' class="long"' : ""}>\n`;
  if (entries.length > 0) yield renderColumns(listing.sort);
  if (segments.length > 0) {
    yield '<tbody class="up"><tr><th scope=row><a class="up" href="../">Parent folder</a><td><td></tbody>\n';
  }
  for (let start = 0; start < entries.length; start += ROWS_A_GROUP) {
    yield `<tbody class="list">\n${entries
      .slice(start, start + ROWS_A_GROUP)
      .map(renderRow)
      .join("")}</tbody>\n`;
  }
  yield "</table>\n";
  yield '<p class="note none" role="status" hidden>No name here matches.</p>\n';
  yield readme === undefined ? "" : renderReadme(readme);
  yield `</main>\n<script>${LISTING_SCRIPT}</script>\n</body>\n</html>\n`;
}

function renderHead(segments: readonly string[]): string {
  // GDAL knows a listing by this title, and compares it with the path that it asked for, decoded and without a final slash.
  const path = `/${segments.map(visibleName).join("/")}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Index of ${path}</title>
<link rel="icon" href="${FAVICON}">
<style>${LISTING_STYLE}</style>
</head>
<body>
`;
}

function renderHeader(listing: Listing): string {
  const names = [ROOT_NAME, ...listing.segments].map(visibleName);
  const crumbs = names.slice(0, -1).map((name, index) => {
    return `<li><a href="${"../".repeat(names.length - 1 - index)}">${name}</a></li>`;
  });
  const filter =
    '<p class="filter" hidden><output aria-live="polite"></output>' +
    '<input type="search" placeholder="Filter" aria-label="Filter by name" aria-keyshortcuts="/" autocomplete="off" spellcheck="false"><kbd aria-hidden="true">/</kbd></p>';
  return `<header>
${crumbs.length === 0 ? "" : `<nav aria-label="Folders above"><ol>${crumbs.join("")}</ol></nav>\n`}<h1 id="folder">${names.at(-1)}</h1>
<div class="bar"><p class="summary">${summarise(listing)}</p>
${listing.entries.length >= WORTH_FILTERING ? filter : ""}</div>
</header>
`;
}

function summarise(listing: Listing): string {
  const { directories, files, size } = totalsOf(listing.entries);
  const parts = [
    directories > 0 ? counted(directories, "folder") : "",
    files > 0
      ? `${counted(files, "file")}, <span title="${formatExactSize(size)}">${formatHumanSize(size)}</span>`
      : "",
    listing.notShown > 0
      ? `<span title="Names that no link can express">${formatCount(listing.notShown)} not shown</span>`
      : "",
  ];
  return parts.filter((part) => part !== "").join(", ") || "This folder is empty";
}

/** A link to the other order of the current column; for other columns, the order most often wanted: newest, largest. */
function renderColumns(sort: ListingSort): string {
  const cells = COLUMNS.map(({ column, title, zone }) => {
    const current = column === sort.column;
    const first = column === "name" ? "ascending" : "descending";
    const order = current ? (sort.order === "ascending" ? "descending" : "ascending") : first;
    const href = escapeHtml(formatListingQuery({ column, order }));
    return `<th scope=col${current ? ` aria-sort=${sort.order}` : ""}><a href="${href}" title="Sort ${order}">${title}${zone}</a></th>`;
  });
  return `<thead><tr>${cells.join("")}</tr></thead>\n`;
}

function renderRow(entry: ListingEntry): string {
  const icon = iconClass(entry);
  // The reference comes first: GDAL finds names by `<a href="`.
  const link = `<a href="${entryHref(entry)}"${icon === undefined ? "" : ` class=${icon}`}>${visibleName(entry.name)}</a>`;
  return `<tr><th scope=row>${link}<td>${renderTime(entry)}<td${renderSize(entry)}\n`;
}

/** Of the last entry: files that were copied together often have times of one second. */
let lastTime = { second: Number.NaN, cell: "" };

function renderTime({ modified }: ListingEntry): string {
  const second = Math.floor(modified / 1000);
  if (second !== lastTime.second) lastTime = { second, cell: formatTimeCell(modified) };
  return lastTime.cell;
}

function formatTimeCell(modified: ListingEntry["modified"]): string {
  const instant = formatInstant(modified);
  if (instant === undefined) return "";
  return `<time datetime=${instant.slice(0, 19)}Z>${instant.slice(0, 10)} ${instant.slice(11, 16)}</time>`;
}

/** The rest of the cell, from inside its opening tag. */
function renderSize({ kind, size }: ListingEntry): string {
  if (kind === "directory") return ">";
  return size < 1024 ? `>${formatHumanSize(size)}` : ` title="${formatExactSize(size)}">${formatHumanSize(size)}`;
}

function renderReadme({ name, text, complete }: Readme): string {
  const href = entryHref({ name, kind: "file" });
  const rest = complete ? "" : `<p class="note">The rest is in <a href="${href}">${visibleName(name)}</a>.</p>\n`;
  // HTML drops a line end right after <pre>: this one is for it, so that the file's own first line stays.
  return `<section class="readme" aria-labelledby="readme"><h2 id="readme"><a href="${href}">${visibleName(name)}</a></h2>
<pre>
${escapeHtml(text)}</pre>
${rest}</section>
`;
}

/** A name as HTML text; a control, or a mark that would reverse the line, becomes �. */
function visibleName(name: string): string {
  if (isPlainName(name)) return name;
  return escapeHtml(name.replace(UNSEEN, "\ufffd"));
}

function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
