/**
 * The words of `npm run bench -- …`.
 */
import { parseArgs } from "node:util";
import { RIVALS } from "./contenders.js";
import { chooseRows, ROWS } from "./rows.js";

export const USAGE = `npm run bench [-- [options] [row…]]

  row                 rows to measure, by name or by the part before the dash; without any: all
  --rounds N          rounds, in each of which every contender has its turn [5]
  --seconds N         length of a turn [2]
  --only NAME,…       rivals that take part, besides Comanche [all that are installed]
  --earlier FOLDER    another build of Comanche, measured beside this one
  --dist FOLDER       the build that is measured [dist]
  --port N            the first of the ports that contenders listen on [18200]
  --out FOLDER        where the results go [bench-results]
  --list              print rows and rivals, measure nothing
  --help              print this`;

const NUMBERS = { rounds: [1, 1000], seconds: [1, 600], port: [1024, 65_000] };

/** @returns `{ kind: "settings", settings }`, or `{ kind: "faults", faults }`, all of them at once */
export function parseCommandLine(words) {
  let parsed;
  try {
    parsed = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "2" },
        only: { type: "string" },
        earlier: { type: "string" },
        dist: { type: "string", default: "dist" },
        port: { type: "string", default: "18200" },
        out: { type: "string", default: "bench-results" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch ({ message }) {
    return { kind: "faults", faults: [message] };
  }
  const { values, positionals } = parsed;
  const { rows, unknown } = chooseRows(positionals);
  const only = values.only?.split(",");
  const names = RIVALS.map(({ name }) => name);
  const faults = [
    ...unknown.map((word) => `no row ${word}: expected of ${ROWS.map(({ name }) => name).join(", ")}`),
    ...(only ?? [])
      .filter((name) => !names.includes(name))
      .map((name) => `--only ${name}: expected of ${names.join(", ")}`),
    ...Object.entries(NUMBERS).flatMap(([name, [least, most]]) => faultOfNumber(name, values[name], least, most)),
  ];
  if (faults.length > 0) return { kind: "faults", faults };
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, Number(values[name])]));
  return { kind: "settings", settings: { ...values, ...numbers, only, rows } };
}

function faultOfNumber(name, text, least, most) {
  const isRight = /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
  return isRight ? [] : [`--${name} ${text}: expected a whole number from ${least} to ${most}`];
}
