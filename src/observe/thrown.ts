/** Words for what was thrown: with stack for our own faults, one phrase for those of the system. */

// Causes may form a ring.
const MAX_CAUSES = 8;

/** The stack of an error and of its causes, in several lines; any other value as text. */
export function describeThrown(thrown: unknown, depth = 1): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const own = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
  if (thrown.cause === undefined || depth === MAX_CAUSES) return own;
  return `${own}\ncaused by ${describeThrown(thrown.cause, depth + 1)}`;
}

/** `no space left on device` for what Node words `ENOSPC: no space left on device, write`; other texts as they are. */
export function describeSystemError(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return /^[A-Z][A-Z0-9]+: (.+?), [a-z]+\b/.exec(message)?.[1] ?? message;
}
