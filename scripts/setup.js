/**
 * Installs and builds, each only when stale: so that every command of the README does its own set-up.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Written when a step has succeeded: its time says what that step has seen. */
const INSTALLED = join(ROOT, "node_modules", ".installed");
const BUILT = join(ROOT, "dist", ".built");

export function setUp() {
  if (isStale(INSTALLED, [join(ROOT, "package-lock.json")])) {
    run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
    writeFileSync(INSTALLED, "");
  }
  const sources = [join(ROOT, "tsconfig.json"), ...filesBelow(join(ROOT, "src")), ...filesBelow(join(ROOT, "test"))];
  if (isStale(BUILT, [INSTALLED, ...sources])) {
    // What was built from a file that is gone must not be run.
    rmSync(join(ROOT, "dist"), { recursive: true, force: true });
    run(process.execPath, [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "--noEmitOnError"]);
    writeFileSync(BUILT, "");
  }
}

function isStale(stamp, sources) {
  if (!existsSync(stamp)) return true;
  const made = statSync(stamp).mtimeMs;
  return sources.some((source) => statSync(source).mtimeMs > made);
}

/** Directories count too: their time changes when a file is removed. */
function filesBelow(directory) {
  if (!existsSync(directory)) return [];
  const below = readdirSync(directory, { withFileTypes: true, recursive: true });
  return [directory, ...below.map((entry) => join(entry.parentPath, entry.name))];
}

function run(command, words) {
  const { status, error } = spawnSync(command, words, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  console.error(`comanche: set-up failed: ${command} ${words.join(" ")}${error ? ` (${error.message})` : ""}`);
  process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp();
