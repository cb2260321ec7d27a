import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import { findHolder } from "../../src/control/holder.ts";
import { acquirePidFile, type PidFilePath, pidFilePaths, pidFilesToAsk } from "../../src/control/pid-file.ts";
import { readPidFile } from "../../src/control/pid-file-content.ts";
import { ChildScript } from "../support/child-script.ts";

const ann = (environment: Readonly<Record<string, string>>) => ({ isRoot: false, home: "/home/ann", environment });
const place = (path: string, folderMode?: number): PidFilePath => ({ path: absolutePath(path), folderMode });
const STATE = place("/home/ann/.local/state/comanche/comanche.pid", 0o700);
const SESSION = place("/run/user/7/comanche/comanche.pid", 0o700);
const SYSTEM = place("/run/comanche/comanche.pid", 0o755);
const root = { ...ann({ XDG_RUNTIME_DIR: "/run/user/0" }), isRoot: true };
const unit = ann({ RUNTIME_DIRECTORY: "/run/comanche:/run/other", XDG_STATE_HOME: "/var/log" });

const places: [
  name: string,
  setting: string | undefined,
  user: ReturnType<typeof ann>,
  want: readonly PidFilePath[],
  asked: readonly PidFilePath[],
][] = [
  ["as it is set", "/p", unit, [place("/p")], [place("/p")]],
  ["root", undefined, root, [SYSTEM], [SYSTEM]],
  ["a unit with a runtime directory", undefined, unit, [place(SYSTEM.path)], [place(SYSTEM.path)]],
  ["a user's session", undefined, ann({ XDG_RUNTIME_DIR: "/run/user/7" }), [SESSION, STATE], [SESSION, STATE, SYSTEM]],
  ["no session", undefined, ann({}), [STATE], [STATE, SYSTEM]],
];
for (const [name, setting, user, want, asked] of places) {
  const path = setting === undefined ? undefined : absolutePath(setting);
  test(`pidFilePaths: ${name}`, () => assert.deepEqual(pidFilePaths(path, user), want));
  test(`pidFilesToAsk: ${name}`, () => assert.deepEqual(pidFilesToAsk(path, user), asked));
}

interface Stage {
  readonly folder: string;
  readonly path: AbsolutePath;
  readonly places: readonly PidFilePath[];
}

function setStage(context: TestContext): Stage {
  const folder = mkdtempSync(join(tmpdir(), "comanche-pid-file-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = absolutePath(join(folder, "comanche.pid"));
  return { folder, path, places: [{ path, folderMode: undefined }] };
}

function hold(path: AbsolutePath) {
  const content = readPidFile(path);
  return content.kind === "pid" ? findHolder(content, path) : content;
}

/** A number that no process has. */
async function deadPid(): Promise<number> {
  const child = new ChildScript("pid-file-contender");
  await child.kill();
  return child.pid;
}

const contents: [name: string, text: string, kind: string][] = [
  ["a number and a line feed", "123\n", "pid"],
  ["a number alone", "123", "pid"],
  ["nothing", "", "empty"],
  ["blanks", " \n", "empty"],
  ["zero, which is a process group", "0\n", "foreign"],
  ["a negative number, which is a group too", "-5\n", "foreign"],
  ["two numbers", "1 2\n", "foreign"],
  ["more than a process may have", "4194305\n", "foreign"],
  ["a text", "root:x:0:0\n", "foreign"],
];
for (const [name, text, kind] of contents) {
  test(`readPidFile: ${name}: ${kind}`, (context) => {
    const { path } = setStage(context);
    writeFileSync(path, text);
    assert.equal(readPidFile(path).kind, kind);
  });
}

test("readPidFile: no file", (context) => {
  assert.deepEqual(readPidFile(setStage(context).path), { kind: "absent" });
});

test("readPidFile: a file that cannot be read", (context) => {
  const { path } = setStage(context);
  mkdirSync(path);
  const want = new StartupError(`cannot read PID file ${path}: illegal operation on a directory`);
  assert.throws(() => readPidFile(path), { name: want.name, message: want.message });
});

test("acquirePidFile: the file holds the number alone, and goes with release", (context) => {
  const { folder, path, places } = setStage(context);
  const file = acquirePidFile(places);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  assert.equal(execFileSync("sh", ["-c", `kill -0 $(cat ${path}) && echo alive`]).toString(), "alive\n");
  assert.deepEqual(readdirSync(folder), ["comanche.pid"]);
  file.release();
  assert.deepEqual(readdirSync(folder), []);
  file.release();
});

test("acquirePidFile: release leaves a file that is no longer ours", (context) => {
  const { path, places } = setStage(context);
  const file = acquirePidFile(places);
  rmSync(path);
  writeFileSync(path, "1\n");
  file.release();
  assert.equal(readFileSync(path, "utf8"), "1\n");
});

test("acquirePidFile: a second server is refused while the first runs, and not after it crashed", async (context) => {
  const { folder, path, places } = setStage(context);
  const first = new ChildScript("pid-file-contender", [path]);
  context.after(() => first.kill());
  await first.nextLine();
  first.say("go");
  assert.equal(await first.nextLine(), "got");
  const help = "stop it first, or give this server a pidfile of its own";
  const message = `already running with PID ${first.pid} (PID file ${path}): ${help}`;
  assert.throws(() => acquirePidFile(places), { name: "StartupError", message });
  assert.deepEqual(hold(path), { kind: "server", pid: first.pid });
  assert.deepEqual(readdirSync(folder), ["comanche.pid"]);
  await first.kill();
  assert.deepEqual(hold(path), { kind: "gone", pid: first.pid });
  acquirePidFile(places);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  assert.deepEqual(readdirSync(folder), ["comanche.pid"]);
});

test("acquirePidFile: an empty file is what a power failure leaves", (context) => {
  const { path, places } = setStage(context);
  writeFileSync(path, "");
  acquirePidFile(places);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
});

test("acquirePidFile: a file of somebody else is left alone", (context) => {
  const { folder, path, places } = setStage(context);
  writeFileSync(path, "precious\n");
  const message = `${path} is not a PID file: set pidfile to another path`;
  assert.throws(() => acquirePidFile(places), { name: "StartupError", message });
  assert.equal(readFileSync(path, "utf8"), "precious\n");
  assert.deepEqual(readdirSync(folder), ["comanche.pid"]);
});

test("acquirePidFile: a starter that died while it had its turn is no obstacle", async (context) => {
  const { folder, path, places } = setStage(context);
  const pid = await deadPid();
  writeFileSync(path, `${pid}\n`);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  const content = readPidFile(path);
  assert.equal(content.kind, "pid");
  writeFileSync(`${path}.${content.version}`, `${pid}\n`);
  acquirePidFile(places);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  assert.deepEqual(readdirSync(folder), ["comanche.pid"]);
});

test("acquirePidFile: a folder that is not there is said", (context) => {
  const path = absolutePath(join(setStage(context).folder, "absent/comanche.pid"));
  const want = `cannot write PID file ${path}: no such file or directory: set pidfile to a file that this user may write`;
  assert.throws(() => acquirePidFile([place(path)]), { name: "StartupError", message: want });
});

test("acquirePidFile: the state directory is made when the session's is not there", (context) => {
  const { folder } = setStage(context);
  const absent = { path: absolutePath(join(folder, "absent/comanche.pid")), folderMode: undefined };
  const state = { path: absolutePath(join(folder, "state/comanche/comanche.pid")), folderMode: 0o700 };
  assert.equal(acquirePidFile([absent, state]).path, state.path);
});

test("acquirePidFile: a stranger's number is taken over, one in doubt is not", async (context) => {
  const { path, places } = setStage(context);
  const stranger = spawn("sleep", ["1000"]);
  context.after(() => stranger.kill());
  // It began before the file: only a program that wrote it could have done so.
  writeFileSync(path, `${stranger.pid}\n`);
  const doubt = `already running, it seems, with PID ${stranger.pid} (sleep, PID file ${path}): if that is no Comanche, remove the file`;
  assert.throws(() => acquirePidFile(places), { name: "StartupError", message: doubt });
  // Of a server that has crashed long ago.
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  acquirePidFile(places);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
});

const CONTENDERS = 5;
const ROUNDS = 2;
const leftovers: [name: string, leave: (path: string) => Promise<void>][] = [
  ["no file", async () => {}],
  ["the file of a dead server", async (path) => writeFileSync(path, `${await deadPid()}\n`)],
];
for (const [name, leave] of leftovers) {
  test(`acquirePidFile: of many that start at once one gets it: ${name}`, async (context) => {
    const { folder, path } = setStage(context);
    for (let round = 0; round < ROUNDS; round++) {
      await leave(path);
      const contenders = Array.from({ length: CONTENDERS }, () => new ChildScript("pid-file-contender", [path]));
      context.after(() => Promise.all(contenders.map((contender) => contender.kill())));
      await Promise.all(contenders.map((contender) => contender.nextLine()));
      for (const contender of contenders) contender.say("go");
      const words = await Promise.all(contenders.map((contender) => contender.nextLine()));
      const winners = contenders.filter((_contender, index) => words[index] === "got");
      assert.equal(winners.length, 1, words.join("\n"));
      assert.equal(words.filter((word) => word?.startsWith("StartupError: already running")).length, CONTENDERS - 1);
      assert.equal(readFileSync(path, "utf8"), `${winners[0]?.pid}\n`);
      for (const contender of contenders) contender.endInput();
      await Promise.all(contenders.map((contender) => contender.end));
      assert.deepEqual(readdirSync(folder), []);
    }
  });
}
