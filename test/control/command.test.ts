// Not in --quick: starts servers.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type Fault, fileFault } from "../../src/config/fault.ts";
import { type CommandInput, doubtStatus, runCommand } from "../../src/control/command.ts";
import type { StatusOutcome } from "../../src/control/status.ts";
import { loadText } from "../config/fake-disk.ts";
import { ChildScript } from "../support/child-script.ts";
import { makeTree } from "../support/file-tree.ts";
import { LiveServer } from "../support/live-server.ts";

const user = { isRoot: false, home: "/nonexistent", environment: {} };
const BROKEN = "test.conf:3: [main] port = eighty: expected a whole number from 0 to 65535";

/** A folder for the PID file, and a command as it is given with a configuration file that is broken elsewhere. */
function makeHome(t: TestContext) {
  const pidFile = join(makeTree(t), "x.pid");
  const run = (name: CommandInput["name"], port = "eighty") => {
    const loaded = loadText(`[main]\npidfile = ${pidFile}\nport = ${port}`);
    const settings = loaded.kind === "faults" ? loaded.readable : loaded.settings;
    return runCommand({ name, settings, faults: loaded.kind === "faults" ? loaded.faults : [], user });
  };
  return { pidFile, run };
}

async function startServer(t: TestContext, pidFile: string, manner: string): Promise<ChildScript> {
  const server = new ChildScript("reload-server", [pidFile, manner]);
  t.after(() => server.kill());
  assert.equal(await server.nextLine(), "ready", server.standardError);
  return server;
}

test("stop: finds the PID file in a broken configuration, and tells the faults too", async (t) => {
  const { pidFile, run } = makeHome(t);
  const server = await startServer(t, pidFile, "done");
  const want = { output: `stopped (PID ${server.pid})`, complaints: [BROKEN], exitStatus: 0 };
  assert.deepEqual(await run("stop"), want);
  const absent = `not running: no live process in PID file ${pidFile}`;
  assert.deepEqual(await run("stop"), { output: undefined, complaints: [BROKEN, absent], exitStatus: 1 });
});

test("reload: finds the PID file in a broken configuration, and leaves the faults to the server", async (t) => {
  const { pidFile, run } = makeHome(t);
  const server = await startServer(t, pidFile, "failed");
  const said = `reload failed (PID ${server.pid}), keeping the old configuration: x.conf:1: a\nx.conf:2: b`;
  assert.deepEqual(await run("reload"), { output: undefined, complaints: [said], exitStatus: 1 });
});

test("reload: done is said on the standard output", async (t) => {
  const { pidFile, run } = makeHome(t);
  const server = await startServer(t, pidFile, "done");
  const output = `reloaded (PID ${server.pid}): generation 3`;
  assert.deepEqual(await run("reload", "80"), { output, complaints: [], exitStatus: 0 });
});

test("reload: without a server the faults are told, for they may hide which PID file is meant", async (t) => {
  const { pidFile, run } = makeHome(t);
  const absent = `not running: no live process in PID file ${pidFile}`;
  assert.deepEqual(await run("reload"), { output: undefined, complaints: [BROKEN, absent], exitStatus: 1 });
  assert.deepEqual(await run("reload", "80"), { output: undefined, complaints: [absent], exitStatus: 1 });
});

test("status: running, dead, and not there", async (t) => {
  const { pidFile, run } = makeHome(t);
  const absent = { output: `not running: no PID file ${pidFile}`, complaints: [BROKEN], exitStatus: 3 };
  assert.deepEqual(await run("status"), absent);
  const server = await startServer(t, pidFile, "done");
  const running = await run("status");
  assert.deepEqual([running.exitStatus, running.complaints], [0, []]);
  assert.match(running.output ?? "", new RegExp(`^Comanche 1\\.2\\.3 is running \\(PID ${server.pid}, .* MiB\\)\n`));
  await server.kill();
  assert.equal((await run("status")).exitStatus, 1);
});

const paths = [absolutePath("/run/comanche.pid")];
const absent: StatusOutcome = { kind: "not-running", paths };
const unreadable = fileFault({ file: "/etc/comanche.conf", line: 0 }, "cannot be read: no permission");
const dead: StatusOutcome = { kind: "dead", holder: { kind: "gone", pid: 7 }, path: absolutePath("/run/comanche.pid") };
const doubts: [name: string, outcome: StatusOutcome, faults: Fault[], want: StatusOutcome][] = [
  ["a sound file leaves none", absent, [], absent],
  ["a line of the file leaves none", absent, [fileFault({ file: "x", line: 1 }, "junk")], absent],
  [
    "a file that cannot be read may name another PID file",
    absent,
    [unreadable],
    { kind: "unknown", why: "/etc/comanche.conf: cannot be read: no permission" },
  ],
  ["what was found stays found", dead, [unreadable], dead],
];
for (const [name, outcome, faults, want] of doubts) {
  test(`doubtStatus: ${name}`, () => assert.deepEqual(doubtStatus(outcome, faults), want));
}

test("a real server: status and reload, by the command itself, from start to end", { timeout: 180_000 }, async (t) => {
  const server = await LiveServer.start(t);
  const { pid } = server;
  const running = await server.run(t, "status");
  assert.deepEqual([running.status, running.standardError], [0, ""]);
  const words = running.standardOutput;
  assert.match(words, new RegExp(`^Comanche [0-9.]+ is running \\(PID ${pid}, .* MiB\\)\n`));
  for (const worker of server.workers) assert.match(words, new RegExp(`^  worker ${worker} +for .* s, .* MiB$`, "m"));
  assert.match(words, new RegExp(`^  configuration +${server.top}/comanche.conf$`, "m"));
  assert.match(words, new RegExp(`^  listens at +http://127\\.0\\.0\\.1:${server.port}/$`, "m"));
  assert.match(words, /^ {2}last reload +none$/m);

  server.configure({ charset: "" });
  const done = await server.run(t, "reload");
  assert.deepEqual([done.status, done.standardError], [0, ""]);
  assert.match(done.standardOutput, new RegExp(`^reloaded \\(PID ${pid}\\): .*\n$`));

  server.configure({ charset: "a b", listing: "perhaps" });
  const failed = await server.run(t, "reload");
  assert.deepEqual([failed.status, failed.standardOutput], [1, ""]);
  const refused = `^comanche: reload failed \\(PID ${pid}\\), keeping the old configuration: `;
  assert.match(failed.standardError, new RegExp(refused));
  for (const value of ["charset = a b", "listing = perhaps"]) assert.ok(failed.standardError.includes(value), value);
  const after = await server.run(t, "status");
  assert.equal(after.status, 0);
  assert.match(after.standardOutput, /^ {2}generation +2$/m);
  assert.match(after.standardOutput, /^ {2}last reload +.*, failed\n +\S*comanche\.conf:\d+: /m);

  await server.command.kill();
  const dead = await server.run(t, "status");
  assert.deepEqual([dead.status, dead.standardError], [1, ""]);
  assert.match(dead.standardOutput, new RegExp(`names PID ${pid}, which no longer runs\n$`));
  assert.equal((await server.run(t, "reload")).status, 1);
});

test("a real server that has stopped: status 3, and nothing is left of its state", { timeout: 180_000 }, async (t) => {
  const server = await LiveServer.start(t);
  assert.equal((await server.stop()).status, 0);
  const { status, standardOutput } = await server.run(t, "status");
  assert.deepEqual([status, standardOutput], [3, `not running: no PID file ${server.top}/pid\n`]);
  assert.deepEqual(
    readdirSync(server.top).filter((name) => name.startsWith("pid")),
    [],
  );
});
