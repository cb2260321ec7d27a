/**
 * The `comanche` command: reads the command line and calls the rest. Exit status: 0 done, 1 failed, 2 wrong command
 * line, 3 stopped with connections cut; `status` has its own from 1 on.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { absolutePath } from "./base/absolute-path.ts";
import { StartupError } from "./base/errors.ts";
import { type Command, parseArgv } from "./config/argv.ts";
import { type Fault, formatFault } from "./config/fault.ts";
import { loadSettings } from "./config/load.ts";
import { isBuiltIn, type Settings, type SettingsResult } from "./config/settings.ts";
import { parseTerminatorArgv, settingsOfTerminator } from "./config/terminator-argv.ts";
import { runCommand } from "./control/command.ts";
import { decideMode, readEnvironment } from "./control/daemon-mode.ts";
import { launch } from "./control/launch.ts";
import { openStartReporter } from "./control/start-reporter.ts";
import { leaveLostTerminals } from "./control/terminal.ts";
import { readUserFacts } from "./control/user-directories.ts";
import { checkSettings } from "./primary/check.ts";
import { type PrimaryOptions, runPrimary } from "./primary/primary.ts";

const startReporter = openStartReporter(() => process.exit(1));
const args = process.argv.slice(2);

process.on("exit", leaveLostTerminals);
process.exit(await run());

async function run(): Promise<number> {
  try {
    return args[0] === "tls" ? await runTerminator(args.slice(1)) : await runServer();
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return fail(`comanche: ${error.message}`, 1);
  }
}

async function runServer(): Promise<number> {
  const parsed = parseArgv(args, readVersion());
  if (parsed.kind === "print") return print(parsed.text);
  if (parsed.kind === "faults") return fail(describeFaults(parsed.faults), 2);

  const user = readUserFacts();
  const cwd = absolutePath(process.cwd());
  const { layer, configFile } = parsed;
  const starter = { isRoot: user.isRoot };
  const load = (): SettingsResult => loadSettings({ layer, configFile, cwd, starter });
  const loaded = load();
  const faults = loaded.kind === "faults" ? loaded.faults : [];
  if (faults.some(({ kind }) => kind === "flag")) return fail(describeFaults(faults), 2);
  if (parsed.command !== "serve") {
    // A user who has broken the file must still reach the running server.
    return command(parsed.command, loaded.kind === "faults" ? loaded.readable : loaded.settings, faults);
  }
  if (loaded.kind === "faults") return fail(describeFaults(faults), 1);
  return serve(loaded.settings, { load, notices: [], hasUsualPidFile: true });
}

/** Like stud, it returns 1 for every fault. */
async function runTerminator(argv: readonly string[]): Promise<number> {
  const folder = absolutePath(process.cwd());
  const parsed = parseTerminatorArgv(argv, folder);
  if (parsed.kind === "help") return print(parsed.text);
  if (parsed.kind === "version") return print(readVersion());
  if (parsed.kind === "faults") return fail(describeFaults(parsed.faults), 1);
  const settings = settingsOfTerminator(parsed.terminator, parsed.process);
  if (parsed.process.test) return print([...parsed.notices, ...(await checkSettings(settings))].join("\n"));
  const load = (): SettingsResult => ({ kind: "settings", settings });
  return serve(settings, { load, notices: parsed.notices, hasUsualPidFile: false });
}

type ServeOptions = Pick<PrimaryOptions, "load" | "notices" | "hasUsualPidFile">;

async function serve(settings: Settings, options: ServeOptions): Promise<number> {
  const wish = { daemon: settings.server.daemon, isSet: !isBuiltIn(settings, "daemon") };
  const mode = decideMode(wish, readEnvironment());
  if (mode.kind === "daemon" && !startReporter.isDaemon) {
    return launch({
      entry: fileURLToPath(import.meta.url),
      args,
      standardOutput: (text) => void process.stdout.write(text),
      standardError: (text) => void process.stderr.write(text),
    });
  }
  const reason = mode.kind === "foreground" && mode.reason !== undefined ? [mode.reason] : [];
  return runPrimary({
    ...options,
    settings,
    user: readUserFacts(),
    version: readVersion(),
    startReporter,
    notices: [...reason, ...options.notices],
  });
}

async function command(name: Exclude<Command, "serve">, settings: Settings, faults: readonly Fault[]): Promise<number> {
  const { output, complaints, exitStatus } = await runCommand({ name, settings, faults, user: readUserFacts() });
  if (complaints.length > 0) await fail(complaints.map((each) => `comanche: ${each}`).join("\n"), exitStatus);
  if (output !== undefined) print(output);
  return exitStatus;
}

function print(text: string): number {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  return 0;
}

async function fail(message: string, status: number): Promise<number> {
  await startReporter.reportFailure(message, status);
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
