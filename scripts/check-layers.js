/**
 * Who may import whom: fails on any arrow that the table of the house does not have.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = join(dirname(dirname(fileURLToPath(import.meta.url))), "src");

/**
 * For each folder: whole folders it may import, folders it may take types from, node: modules, packages. `only` gives
 * a module to named files alone.
 */
const LAYERS = {
  base: { imports: [], types: [], node: [], packages: [] },
  http: { imports: ["base"], types: [], node: ["buffer"], packages: ["mime-types"] },
  proxy: { imports: ["base"], types: [], node: ["buffer"], packages: [] },
  config: { imports: ["base"], types: [], node: ["path"], packages: ["ini", "yargs"], only: { fs: ["ini-file.ts"] } },
  tasks: { imports: ["base", "http"], types: [], node: ["fs", "crypto", "path"], packages: ["piscina"] },
  observe: { imports: ["base", "http"], types: [], node: ["fs"], packages: [] },
  site: { imports: ["base", "http"], types: ["config", "tasks"], node: ["fs"], packages: [] },
  net: {
    imports: ["base", "http", "proxy"],
    types: ["config", "observe"],
    node: ["crypto", "events", "fs", "net", "tls", "util"],
    packages: [],
  },
  process: {
    imports: ["base", "http", "config", "tasks", "observe", "site", "net"],
    types: [],
    node: ["child_process", "crypto", "dns", "events", "fs", "os", "path", "timers", "url", "util", "v8", "vm"],
    packages: [],
  },
  "": {
    imports: ["base", "config", "process", "tasks"],
    types: [],
    node: ["path", "fs", "os", "url"],
    packages: ["piscina"],
  },
};

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)";/gms;

const faults = [];
for (const entry of readdirSync(SRC, { withFileTypes: true, recursive: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
  const path = join(entry.parentPath, entry.name);
  for (const [, isType, target] of readFileSync(path, "utf8").matchAll(IMPORT)) {
    const fault = faultOf(path, target, isType !== undefined);
    if (fault !== undefined) faults.push(`${relative(SRC, path)}: ${fault}`);
  }
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log("layers: every import points the right way");

function faultOf(path, target, isType) {
  const folder = folderOf(path);
  const layer = LAYERS[folder];
  if (layer === undefined) return `the folder ${folder} has no row in scripts/check-layers.js`;
  if (target.startsWith("node:")) return faultOfNodeModule(layer, path, target.slice("node:".length).split("/")[0]);
  if (!target.startsWith(".")) return layer.packages.includes(target.split("/")[0]) ? undefined : `package ${target}`;

  const wanted = folderOf(join(dirname(path), target));
  if (wanted === folder || layer.imports.includes(wanted)) return undefined;
  if (isType && layer.types.includes(wanted)) return undefined;
  return `${folder || "an entry"} must not import ${target}${layer.types.includes(wanted) ? " but as a type" : ""}`;
}

function faultOfNodeModule(layer, path, name) {
  if (name === "http" || name === "https") return `node:${name}: the protocol is ours`;
  if (layer.node.includes(name)) return undefined;
  const files = layer.only?.[name] ?? [];
  return files.some((file) => path.endsWith(sep + file)) ? undefined : `node:${name}`;
}

/** The folder below src; empty for an entry. */
function folderOf(path) {
  const parts = relative(SRC, path).split(sep);
  return parts.length === 1 ? "" : parts[0];
}
