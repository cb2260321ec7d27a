/**
 * The `comanche` command: reads the command line and hands over. Each branch ends in an exit status (0 done, 1 could not,
 * 2 wrong command line, 3 stopped with transfers cut).
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { absolutePath } from "./base/absolute-path.ts";
import { StartupError } from "./base/errors.ts";
import { milliseconds } from "./base/units.ts";
import { parseArgv } from "./config/argv.ts";
import { type Fault, formatFault } from "./config/fault.ts";
import { NO_DISK } from "./config/ini-file.ts";
import { loadSettings } from "./config/load.ts";
import { isBuiltIn, type Settings } from "./config/settings.ts";
import { decideMode, readSurroundings } from "./process/environment.ts";
import { launch } from "./process/launch.ts";
import { openLifeline } from "./process/lifeline.ts";
import { pidFilePlaces } from "./process/pid-file.ts";
import { runPrimary } from "./process/primary.ts";
import { describeStop, stopServer } from "./process/stop.ts";
import { readUserFacts } from "./process/user-directories.ts";

/** How much longer than the server's own grace `stop` waits for it. */
const STOP_MARGIN_MS = 5000;

const lifeline = openLifeline(() => process.exit(1));
const args = process.argv.slice(2);

process.exit(await run());

async function run(): Promise<number> {
  const user = readUserFacts();
  const parsed = parseArgv(args, readVersion());
  if (parsed.kind === "print") return print(parsed.text);
  if (parsed.kind === "faults") return fail(describeFaults(parsed.faults), 2);

  const cwd = absolutePath(process.cwd());
  const { layer, configFile } = parsed;
  const identity = { isRoot: user.isRoot };
  let loaded = loadSettings({ layer, configFile, cwd, identity });
  if (loaded.kind === "faults" && parsed.command === "stop") {
    // Whoever has just broken the file must still be able to stop the server: by the flags and the usual places.
    await fail(describeFaults(loaded.faults), 1);
    loaded = loadSettings({ layer, cwd, identity, disk: NO_DISK });
  }
  if (loaded.kind === "faults") {
    return fail(describeFaults(loaded.faults), loaded.faults.some(({ kind }) => kind === "flag") ? 2 : 1);
  }
  const { settings } = loaded;
  try {
    return parsed.command === "stop" ? await stop(settings) : await serve(settings);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return fail(`comanche: ${error.message}`, 1);
  }
}

async function serve(settings: Settings): Promise<number> {
  const wish = { daemon: settings.server.daemon, isSet: !isBuiltIn(settings, "daemon") };
  const mode = decideMode(wish, readSurroundings());
  if (mode.kind === "daemon" && !lifeline.isDaemon) {
    return launch({
      entry: fileURLToPath(import.meta.url),
      args,
      standardOutput: (text) => void process.stdout.write(text),
      standardError: (text) => void process.stderr.write(text),
    });
  }
  const foregroundReason = mode.kind === "foreground" ? mode.reason : undefined;
  return runPrimary({ settings, user: readUserFacts(), version: readVersion(), lifeline, foregroundReason });
}

async function stop(settings: Settings): Promise<number> {
  const { pidfile, grace } = settings.server;
  const patience = milliseconds(grace + STOP_MARGIN_MS);
  const report = describeStop(await stopServer(pidFilePlaces(pidfile, readUserFacts()), patience));
  return report.exitStatus === 0 ? print(report.message) : fail(`comanche: ${report.message}`, report.exitStatus);
}

function print(text: string): number {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  return 0;
}

async function fail(message: string, status: number): Promise<number> {
  await lifeline.reportFailure(message, status);
  return status;
}

function describeFaults(faults: readonly Fault[]): string {
  return faults.map((fault) => `comanche: ${formatFault(fault)}`).join("\n");
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const version = typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : "";
  return String(version);
}
