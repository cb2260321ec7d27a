/**
 * The results as text: for each row a table of contenders, then what was aimed at.
 */
import { FIGURES, MEANINGS } from "../figures.js";
import { MEASUREMENTS } from "../measurements.js";
import { baselinesOf } from "../rows.js";
import { ratios, summarize } from "../statistics.js";
import { judgeAim } from "./judge-aims.js";

/** Above this share of the server's cores it is worth saying that others used them. */
const WORTH_SAYING = 0.05;

/** @param rows  `{ row, cores, results, missing }` for each row that was measured */
export function formatTables(rows) {
  return rows.map(formatRow).join("\n");
}

export function formatRow({ row, cores, results, missing }) {
  const lines = [`${row.name}: ${row.title} (${describeCores(cores)})`];
  const counted = results.filter(({ kind }) => kind === "counted" && kind !== undefined);
  if (counted.length > 0) lines.push(...alignColumns(cellsOf(row, counted)).map((line) => `  ${line}`));
  for (const { label, why } of results.filter(({ kind }) => kind === "void")) lines.push(`  ${label}: void: ${why}`);
  for (const { label, why } of missing) lines.push(`  ${label}: not measured: ${why}`);
  lines.push(...formatAims(row, results).map((line) => `  ${line}`), ...formatDisturbance(counted));
  return `${lines.join("\n")}\n`;
}

/** What headings mean, for the foot of all tables. */
export function formatLegend() {
  return Object.values(MEANINGS)
    .map((meaning) => `  ${meaning}\n`)
    .join("");
}

function cellsOf(row, counted) {
  const { columns, ratios: compared } = MEASUREMENTS[row.measure];
  const bases = counted.filter(({ label }) => baselinesOf(row).includes(label));
  const comparisons = bases.flatMap((base) => compared.map((figure) => ({ base, figure })));
  const head = [
    "",
    ...columns.map((figure) => FIGURES[figure].heading),
    ...comparisons.map(({ base, figure }) => `× ${base.label}, ${FIGURES[figure].heading}`),
  ];
  const body = counted.map(({ label, rounds }) => [
    label,
    ...columns.map((figure, index) => formatFigure(figure, rounds, index === 0)),
    ...comparisons.map(({ base, figure }) => formatRatio(ratios(rounds, base.rounds, figure))),
  ]);
  return [head, ...body];
}

function formatFigure(figure, rounds, hasSpread) {
  const { format } = FIGURES[figure];
  const { median, least, most } = summarize(rounds.map((figures) => figures[figure]));
  return hasSpread ? `${format(median)} (${format(least)} to ${format(most)})` : format(median);
}

export function formatRatio({ median, least, most }) {
  return `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
}

/** The first column to the left, figures to the right. */
function alignColumns(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}

function formatAims(row, results) {
  return row.aims.map((aim) => {
    const judged = judgeAim(aim, results);
    const bound = aim.atLeast === undefined ? `at most ${aim.atMost}` : `at least ${aim.atLeast}`;
    const object = aim.against === undefined ? FIGURES[aim.figure].heading : `× ${aim.against}`;
    const what = `aim: ${aim.of} ${bound} ${object}, ${FIGURES[aim.figure].heading}`;
    return judged.kind === "open"
      ? `${what}: open: ${judged.why}`
      : `${what}: ${judged.kind}: ${formatRatio(judged.summary)}`;
  });
}

function formatDisturbance(counted) {
  const shares = counted.flatMap(({ rounds }) => rounds.map(({ others }) => others ?? 0));
  const median = summarize(shares)?.median ?? 0;
  if (median < WORTH_SAYING) return [];
  return [`  others had ${FIGURES.others.format(median)} of the server's cores: the figures are disturbed`];
}

function describeCores({ kind, server, client }) {
  const numbers = (cores) => `core${cores.length > 1 ? "s" : ""} ${cores.join(", ")}`;
  if (kind === "shared") return `server and client share ${numbers(server)}: only ratios mean something`;
  return `server on ${numbers(server)}, client on ${numbers(client)}`;
}
