import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import {
  type LogCandidate,
  type LogPlan,
  type LogSpec,
  openLog,
  planAccessLog,
  planErrorLog,
} from "../../src/primary/log-destination.ts";

const state = absolutePath("/home/ann/.local/state/comanche");
const daemon = { isDaemon: true, stateDirectory: state };
const foreground = { isDaemon: false, stateDirectory: state };

const file = (path: string): LogCandidate => ({ path: absolutePath(path), isInStateDirectory: false });
const inState = (name: string): LogCandidate => ({ path: absolutePath(join(state, name)), isInStateDirectory: true });
const files = (...candidates: readonly LogCandidate[]): LogPlan => ({ kind: "file", candidates });
const set = (target: string): LogSpec => ({ target: target === "-" ? "-" : absolutePath(target), isSet: true });
const unset = (target: string): LogSpec => ({ ...set(target), isSet: false });
const impossible = (key: string, stream: string): LogPlan => ({
  kind: "impossible",
  why: `${key} = - is the ${stream}, which a daemon does not have: name a file, or add -d`,
});

const accessPlans: [name: string, wish: LogSpec, around: typeof daemon, want: LogPlan][] = [
  ["a file that was asked for, and no other", set("/l/a.log"), daemon, files(file("/l/a.log"))],
  [
    "the default, else the state directory",
    unset("/var/www/l"),
    daemon,
    files(file("/var/www/l"), inState("access.log")),
  ],
  ["standard output", set("-"), foreground, { kind: "standard" }],
  ["standard output of a daemon", set("-"), daemon, impossible("logfile", "standard output")],
];
for (const [name, wish, around, want] of accessPlans) {
  test(`planAccessLog: ${name}`, () => assert.deepEqual(planAccessLog(wish, around), want));
}

const beside = files(file("/l/comanche_error_log"), inState("comanche_error_log"));
const stateOnly = files(inState("comanche_error_log"));
const errorPlans: [name: string, wish: LogSpec, accessLog: string | undefined, around: typeof daemon, want: LogPlan][] =
  [
    ["a file that was asked for", set("/e/e.log"), "/l/a.log", foreground, files(file("/e/e.log"))],
    ["the console", unset("-"), "/l/a.log", foreground, { kind: "standard" }],
    ["the console, asked for", set("-"), "/l/a.log", foreground, { kind: "standard" }],
    ["a daemon's goes beside the access log", unset("-"), "/l/a.log", daemon, beside],
    ["not beside a device", unset("-"), "/dev/null", daemon, stateOnly],
    ["the console of a daemon, asked for", set("-"), "/l/a.log", daemon, impossible("errorlog", "standard error")],
  ];
for (const [name, wish, accessLog, around, want] of errorPlans) {
  const path = accessLog === undefined ? undefined : absolutePath(accessLog);
  test(`planErrorLog: ${name}`, () => assert.deepEqual(planErrorLog(wish, path, around), want));
}

function makeFolder(context: TestContext): AbsolutePath {
  const folder = mkdtempSync(join(tmpdir(), "comanche-log-destination-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return absolutePath(folder);
}

test("openLog: a file is appended to", (context) => {
  const folder = makeFolder(context);
  const path = join(folder, "a.log");
  writeFileSync(path, "old\n");
  const log = openLog("access log", files(file(path)));
  writeSync(log.descriptor, "new\n");
  closeSync(log.descriptor);
  assert.deepEqual([log.name, log.path, log.notice], [path, path, undefined]);
  assert.equal(readFileSync(path, "utf8"), "old\nnew\n");
});

test("openLog: the state directory is made for its user alone, and the start says why", (context) => {
  const folder = makeFolder(context);
  const stateFolder = join(folder, "state/comanche");
  const wanted = join(folder, "absent/comanche_log");
  const fallback = { path: absolutePath(join(stateFolder, "access.log")), isInStateDirectory: true };
  const log = openLog("access log", files(file(wanted), fallback));
  closeSync(log.descriptor);
  assert.equal(log.path, fallback.path);
  assert.equal(log.notice, `access log: cannot write ${wanted} (no such file or directory): using ${fallback.path}`);
  assert.equal(statSync(stateFolder).mode & 0o777, 0o700);
});

test("openLog: no file that can be opened stops the start, with every reason", (context) => {
  const folder = makeFolder(context);
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  mkdirSync(join(folder, "folder"));
  const fallback = { path: absolutePath(join(blocked, "comanche/access.log")), isInStateDirectory: true };
  assert.throws(
    () => openLog("access log", files(file(join(folder, "folder")), fallback)),
    new StartupError(
      `access log: cannot write ${folder}/folder (illegal operation on a directory); ` +
        `cannot write ${blocked}/comanche/access.log (not a directory): set logfile to a file that this user may write`,
    ),
  );
});

test("openLog: a named pipe that nobody reads is an error, not an endless wait", (context) => {
  const pipe = join(makeFolder(context), "pipe");
  execFileSync("mkfifo", [pipe]);
  assert.throws(() => openLog("error log", files(file(pipe))), /no such device or address.*: set errorlog to/);
});

test("openLog: what is impossible is said", () => {
  assert.throws(() => openLog("access log", { kind: "impossible", why: "no" }), new StartupError("no"));
});

test("openLog: standard streams", () => {
  assert.equal(openLog("error log", { kind: "standard" }).descriptor, 2);
  const output = openLog("access log", { kind: "standard" });
  assert.deepEqual([output.name, output.path], ["standard output", undefined]);
  if (output.descriptor !== 1) closeSync(output.descriptor);
});
