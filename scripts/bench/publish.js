#!/usr/bin/env node
/**
 * Puts the results of a run of all rows where people read them: `node scripts/bench/publish.js [FOLDER…]`, by default
 * bench-results. Tables go between `<!-- bench -->` and `<!-- /bench -->` of README.md and htdocs/speed.html, plots into
 * htdocs/pictures.
 *
 * Several folders are several runs on one machine: a row that is in two is taken from the later, and what stands below the
 * plot is said of the last.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FIGURES } from "./figures.js";
import { MEASUREMENTS } from "./measurements.js";
import { drawPlot } from "./report/plot.js";
import { formatRatio } from "./report/table.js";
import { baselinesOf, ROWS } from "./rows.js";
import { ratios } from "./statistics.js";

const pathOf = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
/** What else takes part is in the plot. */
const COLUMNS = ["comanche", "lighttpd", "h2o", "caddy", "apache", "sirv"];
const COMPARISONS = [
  { baseline: "nginx", isTls: false, caption: "Times nginx", columns: COLUMNS },
  {
    baseline: "nginx",
    isTls: true,
    caption: "Over TLS, times nginx",
    columns: ["comanche", "hitch", "comanche tls"],
  },
  {
    baseline: "hitch",
    isTls: true,
    caption: "Terminators, times hitch",
    columns: ["comanche tls", "nginx, proxy_pass"],
  },
];
const MARKS = /(<!-- bench -->\n)[\s\S]*?([ \t]*<!-- \/bench -->)/;

const folders = process.argv.length > 2 ? process.argv.slice(2) : [pathOf("bench-results")];
const runs = folders.map((folder) => JSON.parse(readFileSync(join(folder, "results.json"), "utf8")));
const rows = ROWS.map(({ name }) => runs.flatMap((run) => run.rows).findLast((row) => row.name === name)).filter(
  (row) => row !== undefined,
);
const tables = [...COMPARISONS.map(compareTable), costTable()].filter(({ body }) => body.length > 0);

insertInto("README.md", tables.map(formatMarkdown).join("\n"));
insertInto("htdocs/speed.html", tables.map(formatHtml).join(""));
const report = { ...runs.at(-1), rows: rows.map((row) => ({ row: rowOf(row), results: row.contenders })) };
writeFileSync(pathOf("htdocs/pictures/speed.svg"), drawPlot(report, 2));
writeFileSync(pathOf("htdocs/pictures/speed-tall.svg"), drawPlot(report, 1));

function rowOf({ name }) {
  return ROWS.find((row) => row.name === name);
}

/** What more of is better, as multiples of the baseline. */
function compareTable({ baseline, isTls, caption, columns }) {
  const body = rows
    .filter((row) => betterOf(row) === "more" && baselinesOf(rowOf(row))[0] === baseline)
    .filter((row) => (rowOf(row).tls !== undefined) === isTls)
    .map((row) => [rowOf(row).title, ...columns.map(ratioIn(row, baseline))]);
  return { caption, head: ["Work", ...columns], body };
}

/** What less of is better, in its own unit. */
function costTable() {
  const columns = ["nginx", ...COLUMNS];
  const body = rows
    .filter((row) => betterOf(row) === "less")
    .map((row) => [`${rowOf(row).title}, ${FIGURES[mainFigure(row)].heading}`, ...columns.map(medianIn(row))]);
  return { caption: "What it costs", head: ["Cost", ...columns], body };
}

function betterOf(row) {
  return FIGURES[mainFigure(row)].better;
}

function mainFigure(row) {
  return rowOf(row).main ?? MEASUREMENTS[row.measure].columns[0];
}

function ratioIn(row, baseline) {
  const base = contenderIn(row, baseline)?.rounds;
  return (label, index) => {
    const rounds = contenderIn(row, label)?.rounds;
    if (base === undefined || rounds === undefined) return "";
    const ratio = ratios(rounds, base, mainFigure(row));
    return index === 0 ? formatRatio(ratio) : ratio.median.toFixed(2);
  };
}

function medianIn(row) {
  return (label) => {
    const figure = contenderIn(row, label)?.figures?.[mainFigure(row)];
    return figure === undefined ? "" : FIGURES[mainFigure(row)].format(figure.median);
  };
}

/** Some rows have a contender once with one process and once with two: then the one. */
function contenderIn({ contenders }, label) {
  return contenders.find((one) => one.label === label) ?? contenders.find((one) => one.label === `${label}, 1 process`);
}

/** Markdown has no captions: it stands in the corner. */
function formatMarkdown({ caption, head, body }) {
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  return (
    line([caption, ...head.slice(1)]) +
    line(head.map((_, column) => (column === 0 ? "---" : "--:"))) +
    body.map(line).join("")
  );
}

/** On a phone, where a table stands as blocks of lines, each figure says whose it is. */
function formatHtml({ caption, head, body }) {
  const indent = " ".repeat(10);
  const cell = (figure, column) => `<td data-of="${head[column + 1]}">${figure}</td>`;
  return [
    `${indent}<table class="figures">`,
    `${indent}  <caption>${caption}</caption>`,
    `${indent}  <thead><tr>${head.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead>`,
    `${indent}  <tbody>`,
    ...body.map(
      ([name, ...figures]) => `${indent}    <tr><th scope="row">${name}</th>${figures.map(cell).join("")}</tr>`,
    ),
    `${indent}  </tbody>`,
    `${indent}</table>`,
    "",
  ].join("\n");
}

function insertInto(name, text) {
  const path = pathOf(name);
  const page = readFileSync(path, "utf8");
  if (!MARKS.test(page)) throw new Error(`${name}: expected the lines <!-- bench --> and <!-- /bench -->`);
  writeFileSync(
    path,
    page.replace(MARKS, (_, open, close) => open + text + close),
  );
}
