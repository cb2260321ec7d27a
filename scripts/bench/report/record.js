/**
 * The results for programs: every round of every contender, and what the rounds come to.
 */
import { MEASUREMENTS } from "../measurements.js";
import { BASELINE } from "../rows.js";
import { ratios, summarize } from "../statistics.js";
import { judgeAim } from "./judge-aims.js";

/** @returns plain data; `turns` of a contender are its places in the order of each round */
export function makeRecord({ rows, ...facts }) {
  return { ...facts, baseline: BASELINE, rows: rows.map(recordRow) };
}

function recordRow({ row, cores, results, missing }) {
  const { name, title, measure, load, aims, processes = 1, hasLog = false } = row;
  const base = results.find(({ label, kind }) => label === BASELINE && kind === "counted");
  return {
    ...{ name, title, measure, processes, hasLog, load, cores, missing },
    contenders: results.map((result) => recordContender(result, base, MEASUREMENTS[measure])),
    aims: aims.map((aim) => ({ ...aim, ...judgeAim(aim, results) })),
  };
}

function recordContender(result, base, { ratios: compared }) {
  if (result.kind === "void") return result;
  const { rounds } = result;
  const figures = Object.keys(rounds[0]).map((figure) => [figure, summarize(rounds.map((one) => one[figure]))]);
  const toBaseline = base === undefined ? [] : compared.map((figure) => [figure, ratios(rounds, base.rounds, figure)]);
  return { ...result, figures: Object.fromEntries(figures), toBaseline: Object.fromEntries(toBaseline) };
}
