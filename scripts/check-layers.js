/**
 * Which folder may import which: fails on an import that the table below does not allow, on an allowance that no import
 * uses, and on a circle of files. An import of types alone counts, and so does `import("...")`.
 *
 *     node scripts/check-layers.js                check src
 *     node scripts/check-layers.js DIR TABLE      check another folder, against a JSON file in the form of OUR_LAYERS
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * For each folder: whole folders it may import, folders it may take types from, node: modules, packages. `only` gives
 * a module to named files alone.
 */
const OUR_LAYERS = {
  base: { imports: [], types: [], node: [], packages: [] },
  http: { imports: ["base"], types: [], node: ["buffer"], packages: ["mime-types"] },
  proxy: { imports: ["base"], types: [], node: ["buffer"], packages: [] },
  config: { imports: ["base"], types: [], node: ["path"], packages: ["ini", "yargs"], only: { fs: ["load.ts"] } },
  observe: { imports: ["base"], types: ["http"], node: ["fs"], packages: [] },
  tasks: { imports: ["base", "http"], types: [], node: ["fs", "crypto"], packages: ["piscina"] },
  site: {
    imports: ["base", "http"],
    types: ["config", "observe", "tasks"],
    node: ["crypto", "fs", "zlib"],
    packages: [],
  },
  transport: {
    imports: ["base", "proxy"],
    types: ["config"],
    node: ["fs", "net", "tls", "util"],
    packages: [],
  },
  tls: { imports: ["base", "transport"], types: ["config"], node: ["crypto", "events", "net", "tls"], packages: [] },
  connection: { imports: ["base", "http"], types: ["transport"], node: ["fs", "worker_threads", "zlib"], packages: [] },
  tunnel: {
    imports: ["base", "proxy", "tls", "transport"],
    types: [],
    node: ["crypto", "net", "tls"],
    packages: [],
  },
  system: {
    imports: ["base", "config", "observe", "site", "tasks"],
    types: [],
    node: ["fs", "os", "path", "url", "util"],
    packages: [],
  },
  worker: {
    imports: [
      "base",
      "config",
      "connection",
      "http",
      "observe",
      "site",
      "system",
      "tasks",
      "tls",
      "transport",
      "tunnel",
    ],
    types: [],
    node: ["crypto", "events", "fs", "timers", "url"],
    packages: [],
  },
  control: {
    imports: ["base", "config", "observe"],
    types: [],
    node: ["child_process", "crypto", "fs", "os", "path", "timers", "tty"],
    packages: [],
  },
  primary: {
    imports: ["base", "config", "control", "observe", "system", "tasks", "tls", "transport", "tunnel", "worker"],
    types: [],
    node: ["child_process", "crypto", "dns", "fs", "os", "path", "timers", "url"],
    packages: [],
  },
  "": {
    imports: ["base", "config", "control", "primary", "system", "tasks", "worker"],
    types: [],
    node: ["fs", "os", "url"],
    packages: ["piscina"],
  },
};

const [SRC = join(dirname(dirname(fileURLToPath(import.meta.url))), "src"), table] = process.argv.slice(2);
const LAYERS = table === undefined ? OUR_LAYERS : JSON.parse(readFileSync(table, "utf8"));

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)";|\bimport\("([^"]+)"\)/gms;

const faults = [];
/** What of the table is used, as `allowanceOf` names it. */
const used = new Set();
/** For each file, the files of ours that it imports. */
const graph = new Map();

for (const entry of readdirSync(SRC, { withFileTypes: true, recursive: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
  const path = join(entry.parentPath, entry.name);
  graph.set(path, []);
  for (const [, isType, fixed, dynamic] of readFileSync(path, "utf8").matchAll(IMPORT)) {
    const fault = faultOf(path, fixed ?? dynamic, isType !== undefined);
    if (fault !== undefined) faults.push(`${relative(SRC, path)}: ${fault}`);
  }
}
for (const [folder, layer] of Object.entries(LAYERS)) {
  for (const allowance of allowancesOf(folder, layer)) {
    if (!used.has(allowance)) faults.push(`${table ?? "scripts/check-layers.js"}: nothing uses ${allowance}`);
  }
}
for (const circle of findCircles(graph))
  faults.push(`a circle: ${circle.map((path) => relative(SRC, path)).join(" ↔ ")}`);

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log("layers: every import points the right way");

function faultOf(path, target, isType) {
  const folder = folderOf(path);
  const layer = LAYERS[folder];
  if (layer === undefined) return `the folder ${folder} has no row in scripts/check-layers.js`;
  if (target.startsWith("node:")) return faultOfNodeModule(folder, path, target.slice("node:".length).split("/")[0]);
  if (!target.startsWith("."))
    return isAllowed(folder, "packages", target.split("/")[0]) ? undefined : `package ${target}`;

  const file = join(dirname(path), target);
  graph.get(path).push(file);
  const wanted = folderOf(file);
  if (wanted === folder || isAllowed(folder, "imports", wanted)) return undefined;
  if (isType && isAllowed(folder, "types", wanted)) return undefined;
  return `${folder || "an entry"} must not import ${target}${layer.types.includes(wanted) ? " but as a type" : ""}`;
}

function faultOfNodeModule(folder, path, name) {
  if (name === "http" || name === "https") return `node:${name}: the protocol is ours`;
  if (isAllowed(folder, "node", name)) return undefined;
  const file = LAYERS[folder].only?.[name]?.find((each) => path.endsWith(sep + each));
  if (file === undefined) return `node:${name}`;
  used.add(allowanceOf(folder, name, file));
}

function isAllowed(folder, kind, name) {
  if (!LAYERS[folder][kind].includes(name)) return false;
  used.add(allowanceOf(folder, kind, name));
  return true;
}

function allowanceOf(folder, kind, name) {
  return `${folder || "the entries"}: ${kind} ${name}`;
}

function allowancesOf(folder, { only = {}, ...kinds }) {
  return Object.entries({ ...kinds, ...only }).flatMap(([kind, names]) =>
    names.map((name) => allowanceOf(folder, kind, name)),
  );
}

/** The sets of files that reach each other by their imports (Tarjan's strongly connected components). */
function findCircles(arrows) {
  const circles = [];
  const stack = [];
  const order = new Map();
  /** The lowest number on the stack that the file reaches. */
  const lowest = new Map();
  for (const path of arrows.keys()) if (!order.has(path)) visit(path);
  return circles;

  function visit(path) {
    const number = order.size;
    order.set(path, number);
    lowest.set(path, number);
    stack.push(path);
    for (const next of arrows.get(path) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(path, Math.min(lowest.get(path), lowest.get(next)));
    }
    if (lowest.get(path) !== number) return;
    const members = stack.splice(stack.indexOf(path));
    if (members.length > 1) circles.push(members.toSorted());
  }
}

/** The folder below src; empty for an entry. */
function folderOf(path) {
  const parts = relative(SRC, path).split(sep);
  return parts.length === 1 ? "" : parts[0];
}
