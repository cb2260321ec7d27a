/**
 * Runs the built tests and those of the benchmark: all of them, or those whose path holds one of the words given.
 *
 *     npm test                 everything
 *     npm test -- http/ range  what has `http/` or `range` in its path
 *
 * The files are listed here because Node 20 takes no patterns and later versions take no folders.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const words = process.argv.slice(2);

const files = [join("dist", "test"), join("scripts", "bench", "test")]
  .flatMap((folder) => readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`no test file has ${words.join(" or ")} in its path`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, ["--test", `--test-concurrency=${availableParallelism()}`, ...files], {
  cwd: ROOT,
  stdio: ["ignore", 1, 2],
});
process.exit(status ?? 1);
