/**
 * What the plot shows: a panel for each row, a bar for each contender.
 *
 * Where more is better a bar is the ratio to the row's baseline, and all those panels have one scale; where less is better
 * it is the figure itself, on a scale of its own. The best stands first.
 */
import { FIGURES } from "../figures.js";
import { MEASUREMENTS } from "../measurements.js";
import { baselinesOf } from "../rows.js";
import { ratios, summarize } from "../statistics.js";

/** A bar that is longer is cut, its figure stands: one row must not make all others unreadable. */
const MOST_RATIO = 3;

/** @returns panels `{ title, unit, most, mark, bars: [{ label, kind, value, least, most, words }] }` */
export function planPanels(rows) {
  const panels = rows.map(planPanel).filter((panel) => panel !== undefined);
  const values = panels.filter(isRatio).flatMap(({ bars }) => bars.map(({ value }) => value));
  const most = Math.min(MOST_RATIO, Math.max(1, ...values));
  return panels.map((panel) => (isRatio(panel) ? { ...panel, most } : panel));
}

function planPanel({ row, results }) {
  const figure = row.main ?? MEASUREMENTS[row.measure].columns[0];
  const counted = results.filter(({ kind }) => kind === "counted");
  const baseline = baselinesOf(row)[0];
  const base = counted.find(({ label }) => label === baseline);
  const { better, heading, format } = FIGURES[figure];
  if (counted.length === 0 || (better === "more" && base === undefined)) return undefined;

  const bars = counted.map(({ label, rounds }) => {
    const plain = summarize(rounds.map((figures) => figures[figure]));
    const { median, least, most } = better === "more" ? ratios(rounds, base.rounds, figure) : plain;
    const words = better === "more" ? `${median.toFixed(2)} ×` : format(median);
    return { label, kind: kindOf(label, baseline), value: median, least, most, words };
  });
  bars.sort((a, b) => (better === "more" ? b.value - a.value : a.value - b.value));
  const most = Math.max(...bars.map(({ value }) => value));
  if (better === "less") return { title: row.title, unit: `${heading}, less is better`, most, bars };
  const baseWords = format(summarize(base.rounds.map((figures) => figures[figure])).median);
  return { title: row.title, unit: `${heading}; ${baseline} = 1 = ${baseWords}`, mark: 1, most, bars };
}

function isRatio({ mark }) {
  return mark !== undefined;
}

function kindOf(label, baseline) {
  if (label === baseline) return "baseline";
  return label.startsWith("comanche") ? "ours" : "rival";
}
