/**
 * The small pictures beside the names in a directory index: one class name an entry, the drawings in the style sheet.
 */
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

/** The class that gives an entry its picture; a file of no special kind has none, and gets the plain sheet. */
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

/** The style rules for `.dir`, `.up` and every class of `iconClass`; each sets `--icon` to a picture to mask with. */
export const ICON_STYLE = [
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
