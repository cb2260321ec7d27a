/** TLS handshakes of all processes of a server, and how they ended: one line for the event log. */
import type { TlsCounts } from "./tls-acceptor.ts";

/** Sums all processes. @returns undefined where none speaks TLS */
export function sumTls(counts: readonly (TlsCounts | undefined)[]): TlsCounts | undefined {
  const those = counts.filter((each) => each !== undefined);
  if (those.length === 0) return undefined;
  return {
    completed: sumByName(those.map(({ completed }) => completed)),
    resumed: those.reduce((sum, { resumed }) => sum + resumed, 0),
    failed: sumByName(those.map(({ failed }) => failed)),
    underWay: those.reduce((sum, { underWay }) => sum + underWay, 0),
  };
}

/** `TLS handshakes: 12 (TLSv1.3 10, TLSv1.2 2), 5 of them resumed, 0 under way, 1 failed (no TLS 1)`. */
export function formatTlsStatus({ completed, resumed, failed, underWay }: TlsCounts): string {
  const done = `${formatSum(completed)}, ${resumed} of them resumed`;
  return `TLS handshakes: ${done}, ${underWay} under way, ${formatSum(failed, " failed")}`;
}

type Counts = Readonly<Record<string, number>>;

function sumByName(all: readonly Counts[]): Counts {
  const sums: Record<string, number> = {};
  for (const counts of all) for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

/** The most frequent first. */
function formatSum(counts: Counts, word = ""): string {
  const entries = Object.entries(counts).toSorted(([, one], [, other]) => other - one);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  const each = entries.map(([name, count]) => `${name} ${count}`).join(", ");
  return `${total}${word}${each === "" ? "" : ` (${each})`}`;
}
