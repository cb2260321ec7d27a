/**
 * What several rounds come to: the median, and how far they spread.
 */

/** @returns undefined for no values at all */
export function summarize(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    least: sorted[0],
    most: sorted.at(-1),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
  };
}

/**
 * One contender's figure over another's, round by round. What disturbs the machine for a while disturbs both of a round,
 * so this says more than the ratio of two medians.
 */
export function ratios(rounds, otherRounds, figure) {
  const count = Math.min(rounds.length, otherRounds.length);
  return summarize(Array.from({ length: count }, (_, index) => rounds[index][figure] / otherRounds[index][figure]));
}

/** Between two values the quantile lies where a straight line puts it. */
function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}
