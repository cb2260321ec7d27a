/**
 * One process that runs the tests of some files, one file after the other.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const REPORTER = fileURLToPath(new URL("test-reporter.js", import.meta.url));
const RECORD_SEPARATOR = "\x1e";
/** A process that reports nothing for so long hangs. */
const HANG_MS = 300_000;

/**
 * @param paths   of the modules with the tests
 * @param onEnd   called with what became of each test
 * @returns when the process has ended: milliseconds of processor time, and what was wrong with the process, if anything was
 */
export async function runGroup(paths, { cwd, env, onEnd }) {
  const folder = mkdtempSync(join(tmpdir(), "comanche-tests-"));
  // Imported by one module, the files are evaluated in this order before the first test has ended.
  const entry = join(folder, "entry.mjs");
  writeFileSync(entry, paths.map((path) => `import ${JSON.stringify(pathToFileURL(path).href)};\n`).join(""));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", `--test-reporter=${REPORTER}`, entry],
    {
      cwd,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );

  let begun = "nothing has begun";
  let cpuMs;
  let isHanging = false;
  const giveUp = () => {
    isHanging = true;
    child.kill("SIGKILL");
  };
  let patience = setTimeout(giveUp, HANG_MS);
  createInterface({ input: child.stdout }).on("line", (line) => {
    const at = line.indexOf(RECORD_SEPARATOR);
    const printed = at < 0 ? line : line.slice(0, at);
    if (printed !== "") console.log(printed);
    if (at < 0) return;
    clearTimeout(patience);
    patience = setTimeout(giveUp, HANG_MS);
    const news = JSON.parse(line.slice(at + 1));
    if (news.kind === "start") begun = news.name;
    else if (news.kind === "end") onEnd(news);
    else cpuMs = news.cpuMs;
  });
  const ending = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (status, signal) => resolve(signal ?? status));
    // A server that a test has left behind keeps the pipe open.
    child.once("exit", (status, signal) => setTimeout(resolve, 2000, signal ?? status).unref());
  });
  clearTimeout(patience);
  rmSync(folder, { recursive: true, force: true });

  // Status 1 says that a test failed, and that has been reported.
  const isComplete = (ending === 0 || ending === 1) && cpuMs !== undefined;
  const how = isHanging ? `killed after ${HANG_MS / 1000} s without news` : `ended early (${ending})`;
  return {
    status: ending,
    cpuMs: cpuMs ?? 0,
    fault: isComplete ? undefined : `the process was ${how}; last test: ${begun}`,
  };
}
