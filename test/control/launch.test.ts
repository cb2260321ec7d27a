// Not in --quick: starts daemons.

import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { describeLaunch, type LaunchOutcome, type LaunchReport } from "../../src/control/launch.ts";
import { parseLaunchMessage } from "../../src/control/start-reporter.ts";
import { ChildScript } from "../support/child-script.ts";

const failed = (message: string, exitStatus = 1): LaunchReport => ({
  standardOutput: "",
  standardError: `${message}\n`,
  exitStatus,
});
const reports: [name: string, outcome: LaunchOutcome, want: LaunchReport][] = [
  ["ready", { kind: "ready", lines: ["a", "b"] }, { standardOutput: "a\nb\n", standardError: "", exitStatus: 0 }],
  ["ready without a word", { kind: "ready", lines: [] }, { standardOutput: "", standardError: "", exitStatus: 0 }],
  ["failed", { kind: "failed", message: "no", exitStatus: 2 }, failed("no", 2)],
  [
    "ended by itself",
    { kind: "ended", status: 9, signal: null },
    failed("the server ended before it was listening (exit status 9)"),
  ],
  [
    "ended by a signal",
    { kind: "ended", status: null, signal: "SIGSEGV" },
    failed("the server ended before it was listening (signal SIGSEGV)"),
  ],
  ["not spawned", { kind: "not-spawned", why: "EAGAIN" }, failed("cannot start the server process: EAGAIN")],
  ["interrupted", { kind: "interrupted" }, failed("interrupted before the server was listening")],
];
for (const [name, outcome, want] of reports) {
  test(`describeLaunch: ${name}`, () => assert.deepEqual(describeLaunch(outcome), want));
}

const noMessages: [name: string, value: unknown][] = [
  ["null", null],
  ["a text", "ready"],
  ["another kind", { kind: "hello", lines: [] }],
  ["ready without lines", { kind: "ready" }],
  ["ready with lines that are no texts", { kind: "ready", lines: [1] }],
  ["failed without status", { kind: "failed", message: "m" }],
  ["failed with a status that is no number", { kind: "failed", message: "m", exitStatus: "1" }],
];
for (const [name, value] of noMessages) {
  test(`parseLaunchMessage: no message: ${name}`, () => assert.equal(parseLaunchMessage(value), undefined));
}

interface Home {
  readonly port: string;
  /** The connection of the daemon, and the line it sent. */
  readonly caller: Promise<{ readonly socket: Socket; readonly facts: Readonly<Record<string, unknown>> }>;
}

/** Where a daemon reports to; it ends when the test does, whatever its outcome, because its connection ends. */
async function makeHome(context: TestContext): Promise<Home> {
  const server: Server = createServer();
  const sockets: Socket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const call = async (): Promise<Awaited<Home["caller"]>> => {
    const [socket] = (await once(server, "connection")) as [Socket];
    const [line] = (await once(socket, "data")) as [Buffer];
    return { socket, facts: JSON.parse(line.toString()) };
  };
  return { port: String((server.address() as AddressInfo).port), caller: call() };
}

function startCommand(context: TestContext, ...args: readonly string[]): ChildScript {
  const command = new ChildScript("launch-command", args);
  context.after(() => command.kill());
  return command;
}

test("launch: the command returns when the daemon is ready, and the daemon lives on by itself", async (context) => {
  const home = await makeHome(context);
  const command = startCommand(context, "ready", home.port);
  assert.equal(await command.nextLine(), "first line");
  assert.equal(await command.nextLine(), "second line");
  assert.deepEqual(await command.end, { status: 0, signal: null });
  assert.equal(command.standardError, "a warning\n");
  const { socket, facts } = await home.caller;
  assert.deepEqual(facts, {
    pid: facts.pid,
    isDaemon: true,
    session: facts.pid,
    folder: "/",
    mark: "none",
    isConnected: false,
    standardError: "/dev/null",
  });
  process.kill(Number(facts.pid), "SIGTERM");
  await once(socket, "close");
});

test("launch: what the daemon prints later goes to the file it named", async (context) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "comanche-launch-")));
  context.after(() => rmSync(folder, { recursive: true }));
  const crashLog = join(folder, "crash.log");
  appendFileSync(crashLog, "earlier\n");
  const home = await makeHome(context);
  const command = startCommand(context, "ready", home.port, crashLog);
  await command.end;
  assert.equal((await home.caller).facts.standardError, crashLog);
  assert.equal(readFileSync(crashLog, "utf8"), "earlier\n");
});

const failures: [manner: string, status: number, standardError: RegExp][] = [
  ["failed", 1, /^port 80 is taken\n$/],
  ["throw", 1, /Error: a fault of ours\n.*\nthe server ended before it was listening \(exit status 1\)\n$/s],
  ["exit", 1, /^the server ended before it was listening \(exit status 9\)\n$/],
  ["signal", 1, /^the server ended before it was listening \(signal SIGKILL\)\n$/],
];
for (const [manner, status, standardError] of failures) {
  test(`launch: a daemon that does not come to serve: ${manner}`, async (context) => {
    const command = startCommand(context, manner, "0");
    assert.deepEqual(await command.end, { status, signal: null });
    assert.match(command.standardError, standardError);
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`launch: ${signal} to the command before the daemon is ready stops the daemon`, async (context) => {
    const home = await makeHome(context);
    const command = startCommand(context, "silent", home.port);
    const { socket } = await home.caller;
    const gone = once(socket, "close");
    command.signal(signal);
    assert.deepEqual(await command.end, { status: 1, signal: null });
    await gone;
    assert.equal(command.standardError, "interrupted before the server was listening\n");
  });
}

test("launch: a command that is killed takes a daemon that is not ready with it", async (context) => {
  const home = await makeHome(context);
  const command = startCommand(context, "silent", home.port);
  const { socket } = await home.caller;
  const gone = once(socket, "close");
  await command.kill();
  await gone;
});

test("openLifeline: in the foreground the lines are printed", async (context) => {
  const home = await makeHome(context);
  const server = new ChildScript("launch-child", ["ready", home.port]);
  context.after(() => server.kill());
  assert.equal(await server.nextLine(), "first line");
  assert.equal(await server.nextLine(), "second line");
  const { facts } = await home.caller;
  assert.deepEqual([facts.isDaemon, facts.folder], [false, process.cwd()]);
});

test("openLifeline: in the foreground a failure is printed on standard error", async (context) => {
  const server = new ChildScript("launch-child", ["failed"]);
  context.after(() => server.kill());
  assert.deepEqual(await server.end, { status: 1, signal: null });
  assert.equal(server.standardError, "port 80 is taken\n");
});
