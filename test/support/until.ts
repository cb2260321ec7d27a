/**
 * Waiting for what sends no event: the state of another process, a file that it writes.
 */
import { setTimeout } from "node:timers/promises";

const PATIENCE_MS = 60_000;
const INTERVAL_MS = 5;

/**
 * Looks again and again until there is something.
 *
 * @param found  says what there is; undefined or false for nothing yet
 * @param facts  what a failure tells beside `what`
 * @throws when it takes too long
 */
export async function until<Found>(
  what: string,
  found: () => Found | undefined | false,
  { patience = PATIENCE_MS, facts = () => "" }: { readonly patience?: number; readonly facts?: () => string } = {},
): Promise<Found> {
  const began = performance.now();
  for (;;) {
    const it = found();
    if (it !== undefined && it !== false) return it;
    if (performance.now() - began > patience) {
      const told = facts();
      throw new Error(`waited ${patience} ms in vain until ${what}${told && `; ${told}`}`);
    }
    await setTimeout(INTERVAL_MS);
  }
}
