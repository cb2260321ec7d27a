/**
 * Runs the built tests and those of the benchmark: all of them, or those whose path holds one of the words given.
 *
 *     npm test                      everything
 *     npm test -- http/ range       what has `http/` or `range` in its path
 *     npm test -- --quick           pure code and the transcripts, without what takes long: what one runs after each edit
 *     npm test -- --full            everything, with the trials as large as they are for a release
 *     npm test -- --seed 42         with the random choices of an earlier run
 *     npm test -- --times           and how long each file took
 *     npm test -- --jobs 1          so many processes of tests at a time, instead of one more than there are cores
 *
 * The files of a folder share a process: one process for each would need more time to start than for its tests. A file that
 * takes long has a process of its own. Node 20 has no option for that, so `node --test` is not used.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runGroup } from "./test-group.js";
import { TestReport } from "./test-report.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SEED = join(ROOT, "scripts", "test-seed.js");
const FOLDERS = [join("dist", "test"), join("scripts", "bench", "test")];
/** The first line of a test file that takes long; those of `test/server` do without it. */
const SLOW = /^\/\/ Not in --quick: /m;
/** Files that leave their choices to fast-check. */
const PROPERTIES = /^import .* from "fast-check";$/m;
/** The longest begin first, so that none of them runs by itself at the end. */
const FIRST = [
  "transcripts",
  "server/server",
  "server/worker-faults",
  "server/generations",
  "server/tls-handshakes",
  "server/tls-renewal",
  "server/kill-workers",
  "server/reload",
  "tunnel/splice",
  "transport/transport-contract",
];

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    times: { type: "boolean", default: false },
    seed: { type: "string", default: process.env.COMANCHE_SEED ?? String(Math.floor(Math.random() * 2 ** 31)) },
    jobs: { type: "string", default: String(availableParallelism() + 1) },
  },
});
const env = { ...process.env, COMANCHE_SEED: options.seed, ...(options.full && { COMANCHE_SOAK: "100" }) };
const report = new TestReport(ROOT);
const began = performance.now();

const groups = groupFiles(findFiles());
if (groups.length === 0) {
  console.error(`no test file has ${words.join(" or ")} in its path`);
  process.exit(1);
}
await Promise.all(Array.from({ length: Number(options.jobs) }, runGroups));
if (options.times) report.printTimes();
report.print(performance.now() - began, options.seed);
process.exit(report.hasFailed ? 1 : 0);

function findFiles() {
  return FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => words.length === 0 || words.some((word) => relative(ROOT, path).includes(word)))
    .sort()
    .map((path) => {
      const text = readFileSync(path, "utf8");
      const isSlow = path.includes(join("test", "server") + sep) || SLOW.test(text);
      return { path, isSlow, hasProperties: PROPERTIES.test(text) };
    })
    .filter(({ isSlow }) => !(options.quick && isSlow));
}

function groupFiles(files) {
  const groups = new Map();
  for (const { path, isSlow, hasProperties } of files) {
    const folder = basename(dirname(path));
    const name = isSlow ? `${folder}/${basename(path, ".test.js")}` : folder;
    const { paths, isSeeded } = groups.get(name) ?? { paths: [], isSeeded: false };
    groups.set(name, { name, paths: [...paths, path], isSeeded: isSeeded || hasProperties });
  }
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return [...groups.values()].sort((one, other) => rank(one) - rank(other));
}

/** Several of these take from the same list. */
async function runGroups() {
  for (let next = groups.shift(); next !== undefined; next = groups.shift()) {
    const { name, paths, isSeeded } = next;
    const started = performance.now();
    const mine = { pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
    const onEnd = (news) => {
      mine[news.outcome]++;
      report.add(news);
    };
    const { status, cpuMs, fault } = await runGroup(isSeeded ? [SEED, ...paths] : paths, { cwd: ROOT, env, onEnd });
    const hasFailed = mine.fail + mine.cancelled > 0;
    if (fault !== undefined) report.addFailure({ name, error: fault });
    else if (status !== 0 && !hasFailed)
      report.addFailure({ name, error: `the process of these tests ended with status ${status}` });
    const seconds = (performance.now() - started) / 1000;
    const counted = Object.entries(mine)
      .filter(([, count]) => count > 0)
      .map(([outcome, count]) => `${count} ${outcome}`);
    console.log(`# ${name}: ${counted.join(", ")} in ${seconds.toFixed(1)} s, ${(cpuMs / 1000).toFixed(1)} s of CPU`);
  }
}
