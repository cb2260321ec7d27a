/**
 * The rows of the table: one kind of work each. A row says what is asked for (`load`), who takes part, what is measured,
 * and what Comanche aims at.
 *
 * `tls` names the kind of key of the certificate where the row is over TLS. `measure` names one of measurements.js, `main` the figure the plot shows where that is not the first column; `processes`
 * is 1 unless said; `mostRounds` bounds what is slow and varies little.
 */
import { connections } from "./rows/connections.js";
import { largerFiles } from "./rows/larger-files.js";
import { resources } from "./rows/resources.js";
import { smallFiles } from "./rows/small-files.js";
import { tls } from "./rows/tls.js";

export const ROWS = [...smallFiles, ...largerFiles, ...connections, ...tls, ...resources];

/** Whom the others are compared with. */
export const BASELINE = "nginx";

/**
 * A word means the row of that name, or all rows whose names begin with it: `small` is small-1k, small-log, …
 *
 * @returns the rows in the table's order, and the words that mean none
 */
export function chooseRows(words) {
  if (words.length === 0) return { rows: ROWS, unknown: [] };
  const isMeant = (name) => words.some((word) => means(word, name));
  return {
    rows: ROWS.filter(({ name }) => isMeant(name)),
    unknown: words.filter((word) => !ROWS.some(({ name }) => means(word, name))),
  };
}

function means(word, name) {
  return name === word || name.startsWith(`${word}-`);
}
