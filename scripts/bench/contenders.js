/**
 * All contenders, and which of them this machine has.
 *
 * A contender has a `name`, `find` (is it there, in which version), `plan` (command, files and environment for an order:
 * pure) and where builds differ `lacks` (why an order cannot be met). Each runs in its best configuration for its
 * work; the reason for a setting stands beside it.
 */
import { apache } from "./contenders/apache.js";
import { caddy } from "./contenders/caddy.js";
import { comanche } from "./contenders/comanche.js";
import { comancheTls } from "./contenders/comanche-tls.js";
import { h2o } from "./contenders/h2o.js";
import { hitch } from "./contenders/hitch.js";
import { lighttpd } from "./contenders/lighttpd.js";
import { nginx } from "./contenders/nginx.js";
import { fastifyStatic, httpServer, serveHandler, sirv } from "./contenders/npm-packages.js";

export const RIVALS = [nginx, lighttpd, h2o, caddy, apache, hitch, sirv, serveHandler, httpServer, fastifyStatic];

/**
 * @param dist     the build that is measured
 * @param earlier  another build to measure beside it, or undefined
 * @param only     names of the rivals that take part, or undefined for all
 * @returns for each name `{ contender, found }`
 */
export function findContenders({ root, dist, earlier, only, rows }) {
  const asked = new Set(rows.flatMap(({ entries }) => entries.map(({ contender }) => contender)));
  const builds = [comanche("comanche", dist, root)];
  if (earlier !== undefined) builds.push(comanche(earlierOf("comanche"), earlier, undefined));
  if (asked.has("comanche tls")) {
    builds.push(comancheTls("comanche tls", dist));
    if (earlier !== undefined) builds.push(comancheTls(earlierOf("comanche tls"), earlier));
  }
  const rivals = RIVALS.filter(({ name }) => asked.has(name) && (only?.includes(name) ?? true));
  return new Map([...builds, ...rivals].map((contender) => [contender.name, { contender, found: contender.find() }]));
}

/**
 * Those of a row's entries that can run, and why the others cannot.
 *
 * @returns `{ present, missing: [{ label, why }] }`; whoever was not asked for is in neither
 */
export function entriesOf(row, contenders) {
  const present = [];
  const missing = [];
  for (const entry of withEarlierBuild(row.entries, contenders)) {
    const one = contenders.get(entry.contender);
    if (one === undefined) continue;
    const why = one.found.kind === "missing" ? one.found.why : one.contender.lacks?.(orderOf(row, entry));
    if (why === undefined) present.push(entry);
    else missing.push({ label: entry.label, why });
  }
  return { present, missing };
}

function withEarlierBuild(entries, contenders) {
  return entries.flatMap((entry) => {
    const { contender, label } = entry;
    const earlier = earlierOf(contender);
    if (!contenders.has(earlier)) return [entry];
    return [entry, { ...entry, contender: earlier, label: label.replace(contender, earlier) }];
  });
}

/** The same contender in the other build. */
function earlierOf(name) {
  return `${name}, earlier`;
}

/** What an entry of a row asks of its contender. */
export function orderOf(row, { variant, processes }) {
  return { variant, processes: processes ?? row.processes ?? 1 };
}
