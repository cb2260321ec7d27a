/**
 * What conf/ holds for systemd and logrotate: the programs they are for find no fault, and they fit the server.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { parseArgv } from "../../src/config/argv.ts";
import { pidFilePaths, pidFilesToAsk } from "../../src/control/pid-file.ts";
import { parseActivation } from "../../src/primary/socket-activation.ts";
import { describeShortage } from "../../src/system/descriptor-limit.ts";
import { ChildScript } from "../support/child-script.ts";
import { settingsFrom } from "../support/settings-from.ts";

const CONF = fileURLToPath(new URL("../../../conf/", import.meta.url));
const service = readFileSync(join(CONF, "comanche.service"), "utf8");
const socket = readFileSync(join(CONF, "comanche.socket"), "utf8");
const rotation = readFileSync(join(CONF, "comanche.logrotate"), "utf8");

/** Every value that the key is given in a unit, in its order. */
function valuesOf(unit: string, key: string): readonly string[] {
  const lines = unit.split("\n").filter((line) => line.startsWith(`${key}=`));
  return lines.map((line) => line.slice(key.length + 1));
}

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "comanche-service-files-"));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Undefined, after a skip, where none of these is there. */
function findProgram(context: TestContext, ...paths: readonly string[]): string | undefined {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) context.skip(`${paths[0]} is not installed`);
  return found;
}

const findAnalyze = (context: TestContext) => findProgram(context, "/usr/bin/systemd-analyze", "/bin/systemd-analyze");

/** The units in a folder of their own, with a program that exists: systemd-analyze looks for it. */
function writeUnits(directory: string): readonly string[] {
  const program = join(directory, "comanche");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  const units = [join(directory, "comanche.service"), join(directory, "comanche.socket")] as const;
  writeFileSync(units[0], service.replaceAll("=comanche ", `=${program} `));
  writeFileSync(units[1], socket);
  return units;
}

test("comanche.service and comanche.socket: systemd finds nothing to say against them", (context) => {
  const analyze = findAnalyze(context);
  if (analyze === undefined) return;
  const units = writeUnits(temporaryDirectory(context));
  const { status, stdout, stderr } = spawnSync(analyze, ["verify", "--man=no", ...units], { encoding: "utf8" });
  // A key that it does not know is a warning, with status 0.
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
});

test("comanche.service: its exposure by systemd's count stays at 1.7 or below", (context) => {
  const analyze = findAnalyze(context);
  if (analyze === undefined) return;
  const [unit = ""] = writeUnits(temporaryDirectory(context));
  const args = ["security", "--offline=true", "--no-pager", "--threshold=17", unit];
  const { status, stdout, stderr } = spawnSync(analyze, args, { encoding: "utf8" });
  assert.equal(status, 0, stdout.slice(stdout.indexOf("→")) + stderr);
});

test("comanche.service: the command lines are understood, and name the same files", () => {
  const [start, ...others] = valuesOf(service, "ExecStart");
  const [reload] = valuesOf(service, "ExecReload");
  assert.deepEqual(others, []);
  const parsed = [start, reload].map((line = "") => {
    const [program, ...words] = line.replaceAll("%t", "/run").split(" ");
    assert.equal(program, "comanche");
    return parseArgv(words, "0");
  });
  assert.deepEqual(
    parsed.map((result) => (result.kind === "run" ? [result.command, result.configFile] : result)),
    [
      ["serve", "/etc/comanche.conf"],
      ["reload", "/etc/comanche.conf"],
    ],
  );
  const files = [start, reload].map((line = "") => / (-c .*)$/.exec(line)?.[1]);
  assert.equal(files[0], files[1]);
});

test("comanche.service: its PID file is where the commands look without a flag", () => {
  const RUNTIME_DIRECTORY = `/run/${valuesOf(service, "RuntimeDirectory")[0]}`;
  const [own] = pidFilePaths(undefined, { isRoot: false, home: "/", environment: { RUNTIME_DIRECTORY } });
  for (const isRoot of [true, false]) {
    const asked = pidFilesToAsk(undefined, { isRoot, home: "/home/ann", environment: {} });
    assert.equal(asked.at(-1)?.path, own?.path);
  }
});

test("comanche.service: its times and limits fit the defaults of the server", (context) => {
  const { server: defaults } = settingsFrom(absolutePath(temporaryDirectory(context)), "");
  const seconds = Number.parseInt(valuesOf(service, "TimeoutStopSec")[0] ?? "", 10);
  assert.ok(seconds * 1000 > defaults.grace, `${seconds} s to stop`);
  const soft = Number(valuesOf(service, "LimitNOFILE")[0]);
  const need = { maxConnections: defaults.maxConnections, threads: defaults.workers, processes: 1 };
  assert.equal(describeShortage(need, { soft, hard: soft }), undefined);
});

test("comanche.socket: the name it gives is one that the server takes", () => {
  const [name = ""] = valuesOf(socket, "FileDescriptorName");
  assert.equal(name, "http");
  const count = valuesOf(socket, "ListenStream").length;
  const variables = { LISTEN_PID: "7", LISTEN_FDS: String(count), LISTEN_FDNAMES: Array(count).fill(name).join(":") };
  assert.equal(parseActivation(variables, 7).length, count);
});

/** The rotation of logs in `directory`, for a server of our own user. */
function writeRotation(directory: string): string {
  const path = join(directory, "rotation");
  const text = rotation
    .replaceAll("/var/log/comanche", directory)
    .replaceAll("/run/comanche", directory)
    .replaceAll("comanche comanche", "root root");
  writeFileSync(path, text);
  chmodSync(path, 0o644);
  return path;
}

test("comanche.logrotate: renames the log, makes a new one and tells the server", async (context) => {
  const logrotate = findProgram(context, "/usr/sbin/logrotate");
  if (logrotate === undefined) return;
  if (process.geteuid?.() !== 0) return context.skip("only root can give a log to another user");
  const directory = temporaryDirectory(context);
  const server = new ChildScript("notify-signal", ["SIGUSR1"]);
  context.after(() => server.kill());
  assert.equal(await server.nextLine(), "ready");
  writeFileSync(join(directory, "comanche.pid"), `${server.pid}\n`);
  writeFileSync(join(directory, "access.log"), "one\n");

  const args = ["--force", "--state", join(directory, "state"), writeRotation(directory)];
  const { status, stdout, stderr } = spawnSync(logrotate, args, { encoding: "utf8" });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
  assert.equal(await server.nextLine(), "SIGUSR1");
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("access")),
    ["access.log", "access.log.1"],
  );
  assert.equal(readFileSync(join(directory, "access.log.1"), "utf8"), "one\n");
  assert.equal(statSync(join(directory, "access.log")).mode & 0o777, 0o640);
});

test("comanche.logrotate: without a server the log is rotated all the same", (context) => {
  const logrotate = findProgram(context, "/usr/sbin/logrotate");
  if (logrotate === undefined) return;
  if (process.geteuid?.() !== 0) return context.skip("only root can give a log to another user");
  const directory = temporaryDirectory(context);
  writeFileSync(join(directory, "access.log"), "one\n");
  const args = ["--force", "--state", join(directory, "state"), writeRotation(directory)];
  const { status, stderr } = spawnSync(logrotate, args, { encoding: "utf8" });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.ok(existsSync(join(directory, "access.log.1")));
});
