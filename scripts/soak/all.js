/**
 * All trials, one after the other, each in a process of its own.
 *
 *     npm run soak                shortened: about seven minutes
 *     npm run soak -- --full      the counts that are asked of a release
 *
 * `--dist DIR` tries another build. Exit status 1 when any of them found a fault.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Trial, and its count when shortened. */
const TRIALS = [
  ["overload.js", "10"],
  ["kill-uploads.js", "50"],
  ["full-disk.js", undefined],
  ["memory.js", undefined],
  ["big-directory.js", undefined],
  ["slow-readers.js", undefined],
  ["refused-clients.js", "500"],
  ["abandoned-listings.js", undefined],
  ["processes.js", "10"],
  ["terminator.js", "1000"],
  ["pooling-proxies.js", undefined],
];

const { values } = parseArgs({ options: { full: { type: "boolean" }, dist: { type: "string" } } });
const dist = values.dist === undefined ? [] : ["--dist", values.dist];
const failed = [];
for (const [name, shortened] of TRIALS) {
  const count = values.full || shortened === undefined ? [] : [shortened];
  const began = performance.now();
  const script = fileURLToPath(new URL(name, import.meta.url));
  const { status } = spawnSync(process.execPath, [script, ...count, ...dist], { stdio: "inherit" });
  console.log(`  ${status === 0 ? "passed" : "FAILED"} in ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "all trials passed" : `failed: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
