/**
 * How often a trial repeats what it does: a few times in `npm test`, as often as is asked of a release in `npm test -- --full`.
 * More rounds run the same code again, and find what chance has not shown yet.
 *
 * The environment variable COMANCHE_SOAK gives the share of the large number in per cent; without it the small one counts.
 */
const share = Number(process.env.COMANCHE_SOAK ?? 0) / 100;

export const isSoak = share > 0;

export function rounds(few: number, many: number): number {
  return Math.max(few, Math.round(many * share));
}

/** Time for a test that takes `few` milliseconds with the small number. */
export function timeFor(few: number, many: number): { readonly timeout: number } {
  return { timeout: isSoak ? Math.max(few, many) : few };
}
