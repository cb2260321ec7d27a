/**
 * The delay before a worker is replaced: none, unless several in a row ended soon after their start. Then it doubles
 * each time, so that a fault that ends every worker does not keep the machine busy. A kill from outside is no fault.
 */
import { type Milliseconds, milliseconds } from "../base/units.ts";

export interface LifeSpan {
  /** Time since ready; zero if it never was. */
  readonly served: Milliseconds;
  readonly signal: NodeJS.Signals | undefined;
}

/** After this time an end does not count as a failed start. */
const LONG_LIFE = milliseconds(1000);
/** Sent from outside; other signals indicate a crash. */
const KILLING_SIGNALS: readonly string[] = ["SIGKILL", "SIGTERM"];
const FREE_RESTARTS = 2;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** @returns how many workers in a row have had a short life */
export function countShortLives(before: number, { served, signal }: LifeSpan): number {
  if (served >= LONG_LIFE) return 0;
  const isKilled = served > 0 && signal !== undefined && KILLING_SIGNALS.includes(signal);
  return isKilled ? before : before + 1;
}

export function decideRespawnDelay(shortLives: number): Milliseconds {
  if (shortLives <= FREE_RESTARTS) return milliseconds(0);
  return milliseconds(Math.min(FIRST_DELAY_MS * 2 ** (shortLives - FREE_RESTARTS - 1), MAX_DELAY_MS));
}
