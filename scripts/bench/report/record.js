/**
 * The results for programs: every round of every contender, and what the rounds come to.
 */
import { MEASUREMENTS } from "../measurements.js";
import { baselinesOf } from "../rows.js";
import { ratios, summarize } from "../statistics.js";
import { judgeAim } from "./judge-aims.js";

/** @returns plain data; `turns` of a contender are its places in the order of each round */
export function makeRecord({ rows, ...facts }) {
  return { ...facts, rows: rows.map(recordRow) };
}

function recordRow({ row, cores, results, missing }) {
  const { name, title, measure, load, aims, processes = 1, hasLog = false } = row;
  const baselines = baselinesOf(row);
  const bases = results.filter(({ label, kind }) => baselines.includes(label) && kind === "counted");
  return {
    ...{ name, title, measure, processes, hasLog, load, cores, baselines, missing },
    contenders: results.map((result) => recordContender(result, bases, MEASUREMENTS[measure])),
    aims: aims.map((aim) => ({ ...aim, ...judgeAim(aim, results) })),
  };
}

function recordContender(result, bases, { ratios: compared }) {
  if (result.kind === "void") return result;
  const { rounds } = result;
  const figures = Object.keys(rounds[0]).map((figure) => [figure, summarize(rounds.map((one) => one[figure]))]);
  const ratiosTo = (base) => compared.map((figure) => [figure, ratios(rounds, base.rounds, figure)]);
  const toBaselines = bases.map((base) => [base.label, Object.fromEntries(ratiosTo(base))]);
  return { ...result, figures: Object.fromEntries(figures), toBaselines: Object.fromEntries(toBaselines) };
}
