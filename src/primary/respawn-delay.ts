/**
 * How long to wait before a worker that ended is started anew: not at all, unless the ones before it in its place ended
 * soon after their start too. Then twice as long each time, so that a fault that ends every worker does not keep the
 * machine busy. Whom somebody has killed has no fault.
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";

/** How a worker ended, as far as that tells of a fault. */
export interface LifeSpan {
  /** Since it was ready; zero for one that never was. */
  readonly served: Milliseconds;
  readonly signal: NodeJS.Signals | undefined;
}

/** A worker that has served as long as this has not failed from the start. */
const LONG_LIFE = milliseconds(1000);
/** Signals that come from outside: the others tell of a crash. */
const KILLING_SIGNALS: readonly string[] = ["SIGKILL", "SIGTERM"];
const FREE_RESTARTS = 2;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** @returns how many workers in a row have now had a short life */
export function countShortLives(before: number, { served, signal }: LifeSpan): number {
  if (served >= LONG_LIFE) return 0;
  const isKilled = served > 0 && signal !== undefined && KILLING_SIGNALS.includes(signal);
  return isKilled ? before : before + 1;
}

export function decideRespawnDelay(shortLives: number): Milliseconds {
  if (shortLives <= FREE_RESTARTS) return milliseconds(0);
  return milliseconds(Math.min(FIRST_DELAY_MS * 2 ** (shortLives - FREE_RESTARTS - 1), MAX_DELAY_MS));
}
