/**
 * "Did you mean …?": the known name that is nearest to an unknown one by the Damerau distance, where no place is touched
 * twice. Case does not count.
 */

/** Of the known names the nearest, the first of several; undefined when each is more than a third of the name away. */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  let bound = Math.max(1, Math.floor(wanted.length / 3));
  let nearest: string | undefined;
  for (const name of known) {
    if (Math.abs(name.length - wanted.length) > bound) continue;
    const distance = countSlips(wanted.toLowerCase(), name.toLowerCase());
    if (distance > bound) continue;
    nearest = name;
    bound = distance - 1;
  }
  return nearest;
}

function countSlips(from: string, to: string): number {
  // Three rows of the table whose cell (i, j) is the distance of the first i characters of `from` and j of `to`.
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = cell(previous, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped = endInSwap(from, i, to, j) ? cell(beforePrevious, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(replaced, swapped, cell(previous, j) + 1, cell(row, j - 1) + 1));
    }
    beforePrevious = previous;
    previous = row;
  }
  return cell(previous, to.length);
}

function endInSwap(from: string, i: number, to: string, j: number): boolean {
  return i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
