/**
 * The rows of the table: one kind of work each. A row says what is asked for (`load`), who takes part, what is measured,
 * and what Comanche aims at.
 *
 * `tls` names the kind of key of the certificate where the row is over TLS. `backend` says where the plain server runs
 * that is behind those who serve no files: `beside the server`, on the cores of those, or `beside the client`. `measure` names one
 * of measurements.js, `main` the figure the plot shows where that is not the first column. `baselines` are those with whom
 * the others are compared, the first of them in the plot. `processes` is 1 unless said; `mostRounds` bounds what is slow
 * and varies little.
 */
import { connections } from "./rows/connections.js";
import { largerFiles } from "./rows/larger-files.js";
import { resources } from "./rows/resources.js";
import { smallFiles } from "./rows/small-files.js";
import { tls } from "./rows/tls.js";

export const ROWS = [...smallFiles, ...largerFiles, ...connections, ...tls, ...resources];

/** Whom the others are compared with where a row does not say. */
const BASELINE = "nginx";

/** @returns labels, the first one that of the plot */
export function baselinesOf({ baselines = [BASELINE] }) {
  return baselines;
}

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
