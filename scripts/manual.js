#!/usr/bin/env node
/**
 * Writes what the manual says of the options, from the built option tables.
 *
 *     node scripts/manual.js           print the table as Markdown
 *     node scripts/manual.js conf      write conf/comanche.conf
 *     node scripts/manual.js readme    put the table into README.md
 *     node scripts/manual.js html      put the tables into htdocs/options.html and htdocs/terminator.html
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  formatConf,
  formatHtmlTable,
  formatMarkdownTable,
  formatTerminatorTable,
  insertTable,
} from "../dist/src/config/manual.js";

const pathOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

function insertInto(name, table) {
  const path = pathOf(name);
  if (!existsSync(path)) return console.error(`${name}: does not exist, left out`);
  const page = insertTable(readFileSync(path, "utf8"), table);
  if (page !== undefined) return writeFileSync(path, page);
  console.error(`${name}: expected the lines <!-- options --> and <!-- /options -->`);
  process.exitCode = 1;
}

const [what, ...rest] = process.argv.slice(2);
if (rest.length > 0) {
  console.error("expected at most one of conf, readme, html");
  process.exitCode = 2;
} else if (what === undefined) console.log(formatMarkdownTable());
else if (what === "conf") writeFileSync(pathOf("conf/comanche.conf"), formatConf());
else if (what === "readme") insertInto("README.md", formatMarkdownTable());
else if (what === "html") {
  insertInto("htdocs/options.html", formatHtmlTable());
  insertInto("htdocs/terminator.html", formatTerminatorTable());
} else {
  console.error(`${what}: expected one of conf, readme, html`);
  process.exitCode = 2;
}
