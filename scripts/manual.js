#!/usr/bin/env node
/**
 * Writes what is generated: conf/comanche.conf, the table of options in README.md, and in the pages of the manual the
 * tables of options and what all pages share.
 *
 *     node scripts/manual.js          write them
 *     node scripts/manual.js check    write nothing, name those that are out of date; exit status 1 when there are any
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { framePage, PAGES } from "./manual-pages.js";
import { setUp } from "./setup.js";

const [command, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (command !== undefined && command !== "check")) {
  console.error("expected check or nothing");
  process.exit(2);
}
// The tables are formatted by the build: after an edit of the options it is stale.
if (command === undefined) setUp();
const { formatConf, formatHtmlTable, formatMarkdownTable, formatTerminatorTable, insertTable } = await import(
  "../dist/src/config/manual.js"
);

const TABLES = new Map([
  ["README.md", formatMarkdownTable],
  ["htdocs/options.html", formatHtmlTable],
  ["htdocs/terminator.html", formatTerminatorTable],
]);

const generated = new Map([
  ["conf/comanche.conf", formatConf],
  ["README.md", (text) => withTable("README.md", text)],
  ...PAGES.map((page) => [`htdocs/${page}`, (text) => framePage(page, withTable(`htdocs/${page}`, text))]),
]);

for (const [name, format] of generated) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const now = existsSync(path) ? readFileSync(path, "utf8") : "";
  const wanted = format(now);
  if (wanted === now) continue;
  if (command === undefined) writeFileSync(path, wanted);
  else process.exitCode = 1;
  console.log(`${name}: ${command === undefined ? "written" : "out of date (node scripts/manual.js)"}`);
}

function withTable(name, text) {
  const table = TABLES.get(name);
  if (table === undefined) return text;
  const page = insertTable(text, table());
  if (page !== undefined) return page;
  console.error(`${name}: expected the lines <!-- options --> and <!-- /options -->`);
  process.exit(1);
}
