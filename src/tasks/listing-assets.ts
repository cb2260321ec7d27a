/**
 * Style sheet, icons and script of a directory index: constant text, so that the page's Content-Security-Policy can
 * allow style and script by hash. The script only adds the filter box and shows times in the reader's zone.
 */
import { createHash } from "node:crypto";
import { PAGE_STYLE } from "../base/html.ts";
import { extensionOf } from "../http/media-type.ts";
import type { ListingEntry } from "./listing.ts";

const EXTENSIONS: Readonly<Record<string, string>> = {
  image: "apng avif bmp gif heic ico jpeg jpg png psd svg tif tiff webp",
  audio: "aac aif flac m4a mid mp3 oga ogg opus wav wma",
  video: "avi m4v mkv mov mp4 mpeg mpg ogv webm wmv",
  archive: "7z apk br bz2 cab cpio deb dmg gz iso jar lz4 rar rpm tar tbz tgz txz xz zip zst",
  text: "adoc asc csv doc docx epub htm html log md odp ods odt pdf ppt pptx ps rst rtf tex tsv txt xhtml xls xlsx",
  code: "bash c cc conf cpp cs css go h hpp ini java js json jsx kt lua mjs php pl py rb rs sh sql swift toml ts tsx vue wasm xml yaml yml",
};

const CLASSES: ReadonlyMap<string, string> = new Map(
  Object.entries(EXTENSIONS).flatMap(([kind, extensions]) => extensions.split(" ").map((one) => [one, kind])),
);

/** The icon's class; undefined for a file of no special kind, which gets the plain sheet. */
export function iconClass(entry: Pick<ListingEntry, "name" | "kind">): string | undefined {
  if (entry.kind === "directory") return "dir";
  return CLASSES.get(extensionOf(entry.name));
}

// Drawn on a grid of 16 units, in outline.
const SHEET = "M3.5 1.5h5.8l3.2 3.2v9.8h-9zM9 1.5v3.5h3.5";
const DRAWINGS: Readonly<Record<string, string>> = {
  image: "M1.5 2.5h13v11h-13zM1.5 11.5l3.5-4 3.2 3.5 2.3-2.2 4 4M10 5.8h1",
  audio: "M6 12.5v-9l7-1.5v9M6 12.5a2 1.6 0 1 1-4 0 2 1.6 0 0 1 4 0zM13 11a2 1.6 0 1 1-4 0 2 1.6 0 0 1 4 0z",
  video: "M1.5 2.5h13v11h-13zM6.5 5.5v5l4-2.5z",
  archive: "M1.5 2.5h13v3.5h-13zM2.5 6v7.5h11v-7.5M6.5 8.8h3",
  text: `${SHEET}M5.8 7.5h4.4M5.8 9.7h4.4M5.8 11.9h2.6`,
  code: "M5 4.2l-3.8 3.8 3.8 3.8M11 4.2l3.8 3.8-3.8 3.8M9.3 2.8l-2.6 10.4",
};
const FOLDER =
  "M1.3 4.2c0-.8.6-1.4 1.4-1.4h3.1c.4 0 .7.1 1 .4l1.1 1.1h5.4c.8 0 1.4.6 1.4 1.4v6.1c0 .8-.6 1.4-1.4 1.4H2.7c-.8 0-1.4-.6-1.4-1.4z";
const UP = "M8 13.5v-11M3.5 7l4.5-4.5 4.5 4.5";

/** The rules for `.dir`, `.up` and every class of `iconClass`; each sets `--icon` to a mask image. */
const ICON_STYLE = [
  `.list a{--icon:${outline(SHEET)}}`,
  `a.dir{--icon:${dataUri(`<path d="${FOLDER}"/>`)}}`,
  `a.up{--icon:${outline(UP)}}`,
  ...Object.entries(DRAWINGS).map(([kind, path]) => `a.${kind}{--icon:${outline(path)}}`),
].join("\n");

/** A folder in the accent colour, for the browser's tab. */
export const FAVICON = svgUri(`<path fill="#c0562b" d="${FOLDER}"/>`);

function outline(path: string): string {
  return dataUri(
    `<path fill="none" stroke="#000" stroke-width="1.2" stroke-linecap="round" stroke-linejoin="round" d="${path}"/>`,
  );
}

function dataUri(content: string): string {
  return `url("${svgUri(content)}")`;
}

function svgUri(content: string): string {
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${content}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(picture)}`;
}

// `content` is repeated where screen readers should skip its text: not every browser knows the form for that.
// Rows are grids of fixed columns, so that the browser can lay out the first without reading all. In a long listing,
// groups of rows out of sight cost nothing: Chromium shows 100,000 rows after 2 s instead of 24.
export const LISTING_STYLE = `${PAGE_STYLE}
body{max-width:64rem;margin:auto;padding:clamp(1.25rem,4vw,3.5rem) clamp(1rem,4vw,2.5rem) 4rem}
[hidden]{display:none!important}
nav ol{display:flex;flex-wrap:wrap;margin:0;padding:0;list-style:none;font-size:.9375rem}
nav li{max-width:100%;overflow-wrap:anywhere}
nav li::after{content:"/";content:"/"/"";margin:0 .5em;color:var(--muted)}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
h1{margin:.1em 0 0;font-size:clamp(1.5rem,1.2rem + 1.6vw,2.125rem);font-weight:650;line-height:1.25;letter-spacing:-.015em;overflow-wrap:anywhere;white-space:pre-wrap}
.bar{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.75rem 1.5rem;min-height:2.5rem;margin:.5rem 0 1.25rem}
.summary{margin:0;color:var(--muted);font-variant-numeric:tabular-nums}
.filter{display:flex;align-items:center;position:relative;margin:0}
.filter output{color:var(--muted);font-size:.875rem;font-variant-numeric:tabular-nums;white-space:nowrap}
.filter output:not(:empty){margin-right:.75rem}
.filter kbd{position:absolute;right:.6rem;padding:0 .45rem;border:1px solid var(--line);border-radius:.25rem;color:var(--muted);font:.8125rem/1.4 var(--code);pointer-events:none}
.filter input:focus~kbd,.filter input:not(:placeholder-shown)~kbd{display:none}
.filter input{width:15rem;max-width:100%;padding:.4rem .75rem;border:1px solid var(--line);border-radius:.5rem;background:var(--raised);color:inherit;font:inherit}
.filter input:focus-visible{outline-offset:-1px;border-radius:.5rem}
.filter input::-webkit-search-cancel-button{filter:grayscale(1)}
.filter input::placeholder{color:var(--muted);opacity:1}
table,thead,tbody{display:block}
table{margin:0 -.75rem}
tr{display:grid;grid-template-columns:minmax(0,1fr) 11rem 6.5rem;border-bottom:1px solid var(--line)}
th,td{padding:.5rem .75rem;font-weight:400;text-align:left}
td{color:var(--muted);font-size:.9375rem;line-height:1.6;font-variant-numeric:tabular-nums;white-space:nowrap}
th:last-child,td:last-child{text-align:right}
thead{position:sticky;top:0;z-index:1;background:var(--paper)}
thead th{font-size:.8125rem}
thead a{color:var(--muted);text-decoration:none}
thead a:hover{color:var(--accent)}
[aria-sort] a{color:var(--ink);font-weight:600}
[aria-sort=ascending] a::after{content:"\\2002\\2191";content:"\\2002\\2191"/""}
[aria-sort=descending] a::after{content:"\\2002\\2193";content:"\\2002\\2193"/""}
tbody th{padding:0}
tbody a{display:block;position:relative;padding:.5rem .75rem .5rem 2.5rem;color:var(--ink);text-decoration:none;text-align:left;overflow-wrap:anywhere;white-space:pre-wrap}
tbody a::before{content:"";position:absolute;left:.75rem;top:.6875rem;width:1.125rem;height:1.125rem;background:var(--muted);-webkit-mask:var(--icon) center/contain no-repeat;mask:var(--icon) center/contain no-repeat;print-color-adjust:exact}
tbody a.dir::before{background:var(--accent)}
tbody a:focus-visible{outline-offset:-2px}
tbody tr:hover{background:var(--raised)}
tbody tr:hover a{color:var(--accent)}
a.up{color:var(--muted)}
.long .list{content-visibility:auto;contain-intrinsic-size:auto 10000px}
.note{margin:1.25rem 0;color:var(--muted)}
.readme{margin-top:3rem;border:1px solid var(--line);border-radius:.625rem}
.readme h2{margin:0;padding:.6rem 1.1rem;border-bottom:1px solid var(--line);font-size:.9375rem;font-weight:600}
.readme h2 a{color:inherit;text-decoration:none;overflow-wrap:anywhere}
.readme h2 a:hover{color:var(--accent)}
.readme .note{padding:0 1.1rem}
pre{margin:0;padding:1.1rem;font:.875rem/1.6 var(--code);white-space:pre-wrap;overflow-wrap:anywhere}
${ICON_STYLE}
@media (max-width:40rem){
tr{grid-template-columns:minmax(0,1fr) auto}
th:first-child{grid-area:1/1}
tbody a{padding-bottom:.1rem}
tbody td{padding-top:0;padding-bottom:.5rem;font-size:.8125rem}
tbody td:nth-child(2){grid-area:2/1;padding-left:2.5rem}
tbody td:last-child{grid-area:2/2}
thead tr{grid-template-columns:minmax(0,1fr) auto auto}
.up a{padding-bottom:.5rem}
.up td{display:none}
.filter,.filter input{flex:1}
.filter{flex-basis:100%}
.filter kbd{display:none}
}
@media (forced-colors:active){tbody a::before,tbody a.dir::before{background:LinkText;forced-color-adjust:none}}
@media print{
body{max-width:none;padding:0}
.filter,tbody.up{display:none}
table{margin:0}
thead{position:static}
tr{break-inside:avoid}
.long .list{content-visibility:visible}
}
`;

export const LISTING_SCRIPT = `(() => {
"use strict";
const bar = document.querySelector(".filter");
const groups = [...document.querySelectorAll(".list")];
const two = (number) => String(number).padStart(2, "0");
for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  time.firstChild.data = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate())
    + " " + two(at.getHours()) + ":" + two(at.getMinutes());
}
for (const zone of document.querySelectorAll(".zone")) zone.hidden = true;
if (bar === null) return;

const input = bar.querySelector("input");
const count = bar.querySelector("output");
const none = document.querySelector(".none");
const fold = (text) => text.normalize("NFKD").replace(/[\\u0300-\\u036f]/g, "").toLowerCase();
const room = (group, rows) => {
  const height = groups[0].rows[0].offsetHeight || 41;
  group.style.containIntrinsicSize = "auto " + rows * height + "px";
};
let rows;
const apply = () => {
  rows ??= groups.map((group) => [...group.rows].map((row) => ({ row, name: fold(row.cells[0].textContent) })));
  const words = fold(input.value).split(/\\s+/).filter((word) => word !== "");
  let all = 0, shown = 0;
  groups.forEach((group, index) => {
    let here = 0;
    for (const { row, name } of rows[index]) {
      const hit = words.every((word) => name.includes(word));
      if (hit) here++;
      if (row.hidden === hit) row.hidden = !hit;
    }
    group.hidden = here === 0;
    if (groups.length > 1 && here > 0) room(group, here);
    all += rows[index].length;
    shown += here;
  });
  none.hidden = shown > 0;
  count.value = words.length === 0 ? "" : shown.toLocaleString("en") + " of " + all.toLocaleString("en");
};
let due = false;
input.addEventListener("input", () => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; apply(); });
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.preventDefault();
    if (input.value === "") return input.blur();
    input.value = "";
    apply();
  } else if (event.key === "Enter" && input.value !== "") {
    apply();
    document.querySelector(".list:not([hidden]) tr:not([hidden]) a")?.click();
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target === input || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.select();
});
bar.hidden = false;
if (groups.length > 1) for (const group of groups) room(group, group.rows.length);
if (input.value !== "") apply();
})();
`;

export const LISTING_CSP = [
  "default-src 'none'",
  `style-src ${sourceHash(LISTING_STYLE)}`,
  `script-src ${sourceHash(LISTING_SCRIPT)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function sourceHash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
