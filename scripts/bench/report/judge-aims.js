/**
 * Whether an aim is reached: by the median of what the rounds gave.
 */
import { ratios, summarize } from "../statistics.js";

/**
 * @param results  of one row, as run-row.js returns them
 * @returns `{ kind: "reached" | "missed", summary }`, or `{ kind: "open", why }` where somebody it needs was not measured
 */
export function judgeAim({ of, figure, against, atLeast = 0, atMost = Number.POSITIVE_INFINITY }, results) {
  const roundsOf = (label) => results.find((one) => one.label === label && one.kind === "counted")?.rounds;
  const absent = [of, against].find((label) => label !== undefined && roundsOf(label) === undefined);
  if (absent !== undefined) return { kind: "open", why: `${absent} was not measured` };
  const summary =
    against === undefined
      ? summarize(roundsOf(of).map((figures) => figures[figure]))
      : ratios(roundsOf(of), roundsOf(against), figure);
  return { kind: summary.median >= atLeast && summary.median <= atMost ? "reached" : "missed", summary };
}
