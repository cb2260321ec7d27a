/**
 * The whole server as a process: how it starts, what it says, and how it ends.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { errorCode } from "../../src/base/errors.ts";
import {
  ComancheCommand,
  type CommandEnd,
  type CommandOptions,
  ordinaryUserCannotRun,
  ordinaryUserId,
} from "../support/comanche-command.ts";
import { Download } from "../support/download.ts";
import { makeTree } from "../support/file-tree.ts";
import { latin1, RawClient } from "../support/raw-client.ts";

const LARGE = 20 * 2 ** 20;
const BOUNDED = { timeout: 180_000 };

/** A directory with a document root, a configuration file that says nothing, and a name for each file a server may make. */
function makeHome(t: TestContext, configuration = ""): AbsolutePath {
  const top = makeTree(t, { "htdocs/small.txt": "small", "htdocs/large.bin": "", "comanche.conf": configuration });
  truncateSync(`${top}/htdocs/large.bin`, LARGE);
  return top;
}

function run(
  t: TestContext,
  top: string,
  args: readonly string[],
  options: Partial<CommandOptions> = {},
): ComancheCommand {
  const command = new ComancheCommand(args, { cwd: top, ...options });
  t.after(() => command.kill());
  return command;
}

const IN_PLACE = ["-c", "comanche.conf", "-p", "0", "--processes", "1"];

/** In the foreground, on a free port, with its access log in the file `access`. */
async function startServer(t: TestContext, top: string, ...flags: readonly string[]) {
  const server = run(t, top, ["-d", ...IN_PLACE, "-l", "access", ...flags]);
  return { server, port: await server.port() };
}

async function get(port: number, path: string, host = "127.0.0.1"): Promise<string> {
  const client = await RawClient.connect(port, host);
  client.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`));
  const answer = latin1(await client.readToEnd());
  client.destroy();
  return answer;
}

function hasNoStack({ standardOutput, standardError }: CommandEnd): void {
  assert.doesNotMatch(standardOutput + standardError, /^ +at /m);
}

function logOf(top: string): readonly string[] {
  return readFileSync(`${top}/access`, "utf8").split("\n").slice(0, -1);
}

// ---- in the foreground

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`foreground: starts, serves, and ${signal} stops it with 0`, BOUNDED, async (t) => {
    const top = makeHome(t);
    const { server, port } = await startServer(t, top, "--pidfile", "pid");
    assert.equal(readFileSync(`${top}/pid`, "utf8"), `${server.pid}\n`);
    assert.match(await get(port, "/small.txt"), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nsmall$/s);
    server.signal(signal);
    const end = await server.end;
    assert.deepEqual([end.status, end.signal], [0, null]);
    assert.match(end.standardError, new RegExp(`${signal}: stopping.*\\n.*stopped\\n$`));
    assert.equal(existsSync(`${top}/pid`), false);
    assert.equal(logOf(top).length, 1);
    hasNoStack(end);
  });
}

test("foreground: a signal as soon as the URL is printed is a clean stop", BOUNDED, async (t) => {
  const top = makeHome(t);
  for (let round = 0; round < 3; round += 1) {
    const server = run(t, top, ["-d", ...IN_PLACE, "-l", "access", "--pidfile", "pid"]);
    await server.printed(/http:/);
    server.signal("SIGTERM");
    assert.deepEqual((await server.end).status, 0);
    assert.equal(existsSync(`${top}/pid`), false);
  }
});

test("foreground: a stop before it listens leaves no PID file", BOUNDED, async (t) => {
  const top = makeHome(t);
  const server = run(t, top, ["-d", ...IN_PLACE, "-l", "access", "--pidfile", "pid"]);
  while (!existsSync(`${top}/pid`)) await new Promise((resolve) => setImmediate(resolve));
  server.signal("SIGTERM");
  const end = await server.end;
  // Whether it listened already is a matter of luck.
  assert.ok(end.status === 0 || end.status === 1, `${end.status} ${end.signal}`);
  assert.equal(existsSync(`${top}/pid`), false);
  hasNoStack(end);
});

test("foreground: USR1 opens no debugger, and USR2 tells how busy the threads are", BOUNDED, async (t) => {
  const { server, port } = await startServer(t, makeHome(t));
  server.signal("SIGUSR1");
  await server.printed(/SIGUSR1: logs reopened/);
  server.signal("SIGUSR2");
  await server.printed(/🟢 Thread pool: 0\/10 active \| Queue: 0\/50/);
  assert.match(await get(port, "/small.txt"), /small$/);
  server.signal("SIGTERM");
  const end = await server.end;
  assert.equal(end.status, 0);
  assert.doesNotMatch(end.standardError, /Debugger/);
});

test("foreground: every line of the access log is there when it has stopped", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { server, port } = await startServer(t, top, "--keepalive-requests", "10000");
  const client = await RawClient.connect(port);
  const count = 3000;
  client.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(count)));
  for (let i = 0; i < count; i += 1) {
    await client.readHead();
    await client.readBytes(5);
  }
  server.signal("SIGTERM");
  client.halfClose();
  assert.equal((await server.end).status, 0);
  assert.equal(logOf(top).length, count);
});

test(
  "stop: a configuration file that has been broken meanwhile is reported and does not keep the server running",
  BOUNDED,
  async (t) => {
    const top = makeHome(t);
    writeFileSync(`${top}/broken.conf`, "[main]\nport = eighty\n");
    const flags = ["-c", "comanche.conf", "--daemon", "-p", "0", "--pidfile", `${top}/pid`, "-l", `${top}/log`];
    assert.equal((await run(t, top, flags).end).status, 0);
    const { status, standardOutput, standardError } = await run(t, top, [
      "stop",
      "-c",
      "broken.conf",
      "--pidfile",
      `${top}/pid`,
    ]).end;
    assert.deepEqual(
      [status, standardError],
      [0, "comanche: broken.conf:2: [main] port = eighty: expected a whole number from 0 to 65535\n"],
    );
    assert.match(standardOutput, /^stopped \(PID \d+\)\n$/);
  },
);

test("foreground: quiet, with the access log alone on standard output", BOUNDED, async (t) => {
  const top = makeHome(t);
  const server = run(t, top, ["-d", "-c", "comanche.conf", "-a", `unix:${top}/socket`, "-l", "-", "-q"]);
  assert.match(await getOnceListening(`${top}/socket`, "/small.txt"), /^HTTP\/1\.1 200 .*small$/s);
  server.signal("SIGTERM");
  const { status, standardOutput, standardError } = await server.end;
  assert.deepEqual([status, standardError], [0, ""]);
  assert.match(standardOutput, /^unix - - \[.*\] "GET \/small\.txt HTTP\/1\.1" 200 5\n$/);
});

/** For a server that prints nothing: the socket's file is there a moment before anybody listens. */
async function getOnceListening(path: string, target: string): Promise<string> {
  for (;;) {
    try {
      return await getFromSocket(path, target);
    } catch (error) {
      if (!["ENOENT", "ECONNREFUSED"].includes(errorCode(error) ?? "")) throw error;
    }
  }
}

async function getFromSocket(path: string, target: string): Promise<string> {
  const socket = connect({ path });
  socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return latin1(Buffer.concat(await socket.toArray()));
}

test("foreground: several addresses, each with its URL", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { server, port } = await startServer(t, top, "-a", "127.0.0.1", "-a", "127.0.0.2", "-a", `unix:${top}/socket`);
  const line = `serves ${top}/htdocs at http://127.0.0.1:${port}/ http://127.0.0.2:${port}/ unix:${top}/socket`;
  await server.printed(new RegExp(line.replaceAll(".", "\\.")));
  for (const host of ["127.0.0.1", "127.0.0.2"]) assert.match(await get(port, "/small.txt", host), /small$/);
  assert.match(await getFromSocket(`${top}/socket`, "/small.txt"), /small$/);
  server.signal("SIGTERM");
  assert.equal((await server.end).status, 0);
  assert.equal(existsSync(`${top}/socket`), false);
});

test("foreground: a Unix socket that a killed server left is no obstacle", BOUNDED, async (t) => {
  const top = makeHome(t);
  const flags = ["-d", "-c", "comanche.conf", "-a", `unix:${top}/socket`, "-l", "access"];
  const first = run(t, top, flags);
  await first.printed(/unix:/);
  await first.kill();
  assert.ok(statSync(`${top}/socket`).isSocket());
  const second = run(t, top, flags);
  await second.printed(/unix:/);
  assert.match(await getFromSocket(`${top}/socket`, "/small.txt"), /small$/);
  const third = run(t, top, flags);
  const { status, standardError } = await third.end;
  assert.equal(status, 1);
  assert.match(standardError, /^comanche: cannot listen on unix:.*: another program listens there.*\n$/);
});

// ---- stopping while somebody downloads

test("TERM: a slow download is completed within grace, and exit 0", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { server, port } = await startServer(t, top);
  const download = await Download.start({ port }, "/large.bin");
  server.signal("SIGTERM");
  await server.printed(/SIGTERM: stopping, at most 30 s/);
  // A second one of the same kind is no reason to hurry.
  server.signal("SIGTERM");
  server.signal("SIGQUIT");
  assert.equal((await download.finish()).length, LARGE);
  const end = await server.end;
  assert.deepEqual([end.status, end.signal], [0, null]);
  assert.match(logOf(top)[0] ?? "", new RegExp(`"GET /large.bin HTTP/1.1" 200 ${LARGE}$`));
});

test("TERM: what takes longer than grace is cut, logged, and exit 3", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { server, port } = await startServer(t, top, "--grace", "100ms");
  const download = await Download.start({ port }, "/large.bin");
  server.signal("SIGTERM");
  const end = await server.end;
  assert.deepEqual([end.status, end.signal], [3, null]);
  assert.match(end.standardError, /warning: stopped; connections cut while busy: 1\n$/);
  assert.ok((await download.finish()).length < LARGE);
  assert.match(logOf(top)[0] ?? "", /"GET \/large.bin HTTP\/1.1" 200 \d+$/);
});

for (const first of ["SIGINT", "SIGTERM"] as const) {
  test(`${first}, then INT: at once, and exit 3`, BOUNDED, async (t) => {
    const top = makeHome(t);
    const { server, port } = await startServer(t, top, "--grace", "1h");
    const download = await Download.start({ port }, "/large.bin");
    server.signal(first);
    await server.printed(/stopping, at most/);
    server.signal("SIGINT");
    assert.equal((await server.end).status, 3);
    assert.ok((await download.finish()).length < LARGE);
  });
}

test("INT twice with nothing under way: exit 0", BOUNDED, async (t) => {
  const { server, port } = await startServer(t, makeHome(t));
  // It has closed its side, but the client has not.
  const client = await RawClient.connect(port);
  server.signal("SIGINT");
  await server.printed(/stopping, at most/);
  server.signal("SIGINT");
  assert.equal((await server.end).status, 0);
  client.destroy();
});

// ---- as a daemon

const DAEMON_FILES = ["--pidfile", "pid", "-l", "access", "--errorlog", "errors"];

/** Starts a daemon, which the end of the test ends if it is still there. */
async function startDaemon(
  t: TestContext,
  top: string,
  args: readonly string[],
  options: Partial<CommandOptions> = {},
  pidFile = `${top}/pid`,
) {
  const end = await run(t, top, ["--daemon", ...IN_PLACE, ...args], options).end;
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : undefined;
  t.after(() => pid !== undefined && endProcess(pid));
  return { end, pid, port: Number(/http:\/\/[^/ ]+:(\d+)\//.exec(end.standardOutput)?.[1]) };
}

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Ends a process that is no child of ours, by its number, and waits until it is gone. */
async function endProcess(pid: number): Promise<void> {
  if (!isRunning(pid)) return;
  process.kill(pid, "SIGKILL");
  while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
}

test("daemon: the command returns when it listens, the server lives on, and stop ends it", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { end, pid, port } = await startDaemon(t, top, DAEMON_FILES);
  assert.deepEqual([end.status, end.signal], [0, null]);
  assert.ok(pid !== undefined && isRunning(pid));
  assert.match(
    end.standardOutput,
    new RegExp(
      `serves ${top}/htdocs at http://127.0.0.1:${port}/\n.*PID ${pid} with \\d+ worker process(es)?, access log ${top}/access`,
    ),
  );
  assert.match(await get(port, "/small.txt"), /small$/);

  const second = await run(t, top, ["--daemon", ...IN_PLACE, ...DAEMON_FILES]).end;
  assert.deepEqual([second.status, second.standardOutput], [1, ""]);
  const help = "stop it first, or give this server a pidfile of its own";
  assert.equal(second.standardError, `comanche: already running with PID ${pid} (PID file ${top}/pid): ${help}\n`);

  const stop = await run(t, top, ["stop", "-c", "comanche.conf", "--pidfile", "pid"]).end;
  assert.deepEqual([stop.status, stop.standardOutput, stop.standardError], [0, `stopped (PID ${pid})\n`, ""]);
  assert.equal(isRunning(pid), false);
  assert.equal(existsSync(`${top}/pid`), false);
  assert.equal(logOf(top).length, 1);
  assert.match(readFileSync(`${top}/errors`, "utf8"), /serves .*SIGTERM: stopping.*stopped\n$/s);

  const again = await run(t, top, ["stop", "-c", "comanche.conf", "--pidfile", "pid"]).end;
  assert.equal(again.status, 1);
  assert.equal(again.standardError, `comanche: not running: no live process in PID file ${top}/pid\n`);
});

test("daemon: TERM as soon as the command has returned is a clean stop", BOUNDED, async (t) => {
  const top = makeHome(t);
  for (let round = 0; round < 3; round += 1) {
    const { end, pid } = await startDaemon(t, top, DAEMON_FILES);
    assert.equal(end.status, 0);
    assert.ok(pid !== undefined);
    process.kill(pid, "SIGTERM");
    while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(existsSync(`${top}/pid`), false);
    assert.match(readFileSync(`${top}/errors`, "utf8"), /stopped\n$/);
  }
});

test("daemon: stop waits for a download, and the PID file of a killed server is taken over", BOUNDED, async (t) => {
  const top = makeHome(t);
  const first = await startDaemon(t, top, DAEMON_FILES);
  assert.ok(first.pid !== undefined);
  await endProcess(first.pid);
  const second = await startDaemon(t, top, DAEMON_FILES);
  assert.equal(second.end.status, 0);
  assert.notEqual(second.pid, first.pid);
  const download = await Download.start({ port: second.port }, "/large.bin");
  const stop = run(t, top, ["stop", "-c", "comanche.conf", "--pidfile", "pid"]);
  assert.equal((await download.finish()).length, LARGE);
  assert.equal((await stop.end).status, 0);
});

test("daemon: HUP takes up the configuration anew", BOUNDED, async (t) => {
  const top = makeHome(t);
  const { pid, port } = await startDaemon(t, top, DAEMON_FILES);
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGHUP");
  while (!readFileSync(`${top}/errors`, "utf8").includes("SIGHUP: generation 2 serves"))
    await new Promise((resolve) => setImmediate(resolve));
  assert.match(await get(port, "/small.txt"), /small$/);
  assert.equal((await run(t, top, ["stop", "-c", "comanche.conf", "--pidfile", "pid"]).end).status, 0);
});

// ---- starts that fail

async function takePort(t: TestContext): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  t.after(() => holder.close());
  const address = holder.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

for (const mode of ["-d", "--daemon"]) {
  const start = (t: TestContext, top: string, ...args: readonly string[]) =>
    run(t, top, [mode, "-c", "comanche.conf", ...DAEMON_FILES, ...args]).end;

  test(`${mode}: a port in use: one line, and exit 1`, BOUNDED, async (t) => {
    const top = makeHome(t);
    const port = await takePort(t);
    const { status, standardOutput, standardError } = await start(t, top, "-p", String(port));
    assert.deepEqual([status, standardOutput], [1, ""]);
    const why = "the port is in use; choose another one, or stop the program that uses it";
    assert.equal(standardError, `comanche: cannot listen on 127.0.0.1:${port}: ${why}\n`);
    assert.equal(existsSync(`${top}/pid`), false);
  });

  test(`${mode}: no such document root: one line, and exit 1`, BOUNDED, async (t) => {
    const top = makeHome(t);
    const { status, standardOutput, standardError } = await start(t, top, "-p", "0", "-b", "missing");
    assert.deepEqual([status, standardOutput], [1, ""]);
    const why = "there is no such directory; name one with -b";
    assert.equal(standardError, `comanche: cannot serve docbase ${top}/missing: ${why}\n`);
    assert.equal(existsSync(`${top}/pid`), false);
  });

  test(`${mode}: six faults in the configuration file: a line each, and exit 1`, BOUNDED, async (t) => {
    const top = makeHome(
      t,
      "[Main server configuration]\nport = eighty\nindexfile = x.html\nlisting = perhaps\ntimeout = soon\n!!\n[Mian]\n",
    );
    const end = await start(t, top);
    assert.deepEqual([end.status, end.standardOutput], [1, ""]);
    const lines = end.standardError.trimEnd().split("\n");
    const wants = [
      /:2: .*port = eighty/,
      /:3: .*indexfile\b.*did you mean indexfiles\?/,
      /:4: .*perhaps/,
      /:5: .*soon/,
      /:6: .*!!/,
      /:7: .*Mian/,
    ];
    assert.equal(lines.length, wants.length, end.standardError);
    for (const [index, want] of wants.entries()) assert.match(lines[index] ?? "", want);
    for (const line of lines) assert.match(line, /^comanche: comanche\.conf:\d+: /);
    hasNoStack(end);
  });
}

const lost: [name: string, flags: string[], want: RegExp][] = [
  [
    "a document root that is a file",
    ["-l", "access", "-b", "comanche.conf"],
    /^comanche: docbase .*\/comanche.conf is not a directory\n$/,
  ],
  [
    "an access log that cannot be written",
    ["-l", "htdocs"],
    /^comanche: access log: cannot write .*\/htdocs \(illegal operation on a directory\): set logfile to .*\n$/,
  ],
  [
    "an address of another machine",
    ["-l", "access", "-a", "203.0.113.1"],
    /^comanche: cannot listen on 203\.0\.113\.1:0: this machine does not have that address\n$/,
  ],
  [
    "a PID file in no folder",
    ["-l", "access", "--pidfile", "missing/pid"],
    /^comanche: cannot write PID file .*\/missing\/pid: no such file or directory: set pidfile .*\n$/,
  ],
  [
    "a PID file that is none",
    ["-l", "access", "--pidfile", "htdocs/small.txt"],
    /^comanche: .*\/small.txt is not a PID file: set pidfile to another path\n$/,
  ],
];
for (const [name, flags, want] of lost) {
  test(`${name}: one line, and exit 1`, BOUNDED, async (t) => {
    const { status, standardOutput, standardError } = await run(t, makeHome(t), ["-d", ...IN_PLACE, ...flags]).end;
    assert.deepEqual([status, standardOutput], [1, ""]);
    assert.match(standardError, want);
  });
}

const wrongLines: [name: string, args: string[], want: RegExp][] = [
  ["an unknown flag", ["--prot", "80"], /^comanche: --prot: unknown option \(did you mean --port\?\)\n$/],
  ["an unknown command", ["stpo"], /^comanche: stpo: unknown command.*\(did you mean stop\?\)\n$/],
  ["a value that is none", ["-p", "eighty"], /^comanche: --port=eighty: expected .*\n$/],
  [
    "a configuration file that is not there",
    ["-c", "missing.conf"],
    /^comanche: --config=missing\.conf: no such file.*\n$/,
  ],
  ["several", ["--prot", "80", "--timeout", "soon"], /^comanche: .*\ncomanche: .*\n$/],
];
for (const [name, args, want] of wrongLines) {
  test(`a wrong command line: ${name}: exit 2`, BOUNDED, async (t) => {
    const { status, standardOutput, standardError } = await run(t, makeHome(t), args).end;
    assert.deepEqual([status, standardOutput], [2, ""]);
    assert.match(standardError, want);
  });
}

const printed: [flag: string, want: RegExp][] = [
  ["-V", /^\d+\.\d+\.\d+\n$/],
  ["--version", /^\d+\.\d+\.\d+\n$/],
  ["-h", /--docbase/],
  ["--help", /--docbase/],
];
for (const [flag, want] of printed) {
  test(`${flag}: on standard output, and exit 0`, BOUNDED, async (t) => {
    const { status, standardOutput, standardError } = await run(t, makeHome(t), [flag]).end;
    assert.deepEqual([status, standardError], [0, ""]);
    assert.match(standardOutput, want);
  });
}

// ---- as an ordinary user

const AS_USER = { skip: ordinaryUserCannotRun, ...BOUNDED };

/** A home that belongs to the ordinary user. */
function makeUserHome(t: TestContext): AbsolutePath {
  const top = makeHome(t);
  if (ordinaryUserId !== undefined) chownSync(top, ordinaryUserId, ordinaryUserId);
  return top;
}

function asUser(top: string): Partial<CommandOptions> {
  const environment = { HOME: top, XDG_STATE_HOME: `${top}/state` };
  return ordinaryUserId === undefined ? { environment } : { environment, userId: ordinaryUserId };
}

test("an ordinary user: the default access log gives way to one of the user's own", AS_USER, async (t) => {
  const top = makeUserHome(t);
  const server = run(t, top, ["-d", ...IN_PLACE], asUser(top));
  const port = await server.port();
  await server.printed(
    new RegExp(`access log: cannot write /var/www/comanche_log \\(.*\\): using ${top}/state/comanche/access.log`),
  );
  assert.match(await get(port, "/small.txt"), /small$/);
  server.signal("SIGTERM");
  const end = await server.end;
  assert.equal(end.status, 0);
  assert.doesNotMatch(end.standardError, /processes run as root/);
  assert.match(readFileSync(`${top}/state/comanche/access.log`, "utf8"), /^127\.0\.0\.1 .* 200 5\n$/);
});

test("an ordinary user: a daemon with everything where the user may write", AS_USER, async (t) => {
  const top = makeUserHome(t);
  const pidFile = `${top}/state/comanche/comanche.pid`;
  const { end, pid, port } = await startDaemon(t, top, [], asUser(top), pidFile);
  assert.equal(end.status, 0, end.standardError);
  assert.ok(pid !== undefined);
  assert.match(await get(port, "/small.txt"), /small$/);
  const stop = await run(t, top, ["stop", "-c", "comanche.conf"], asUser(top)).end;
  assert.deepEqual([stop.status, stop.standardOutput], [0, `stopped (PID ${pid})\n`]);
  assert.equal(existsSync(pidFile), false);
  assert.match(readFileSync(`${top}/state/comanche/comanche_error_log`, "utf8"), /stopped\n$/);
});

const forbidden: [name: string, mode: number, status: number][] = [
  ["may not be entered", 0o600, 1],
  ["may not be read at all", 0o000, 1],
];
for (const [name, mode, status] of forbidden) {
  test(`an ordinary user: a document root that ${name}: one line, and exit 1`, AS_USER, async (t) => {
    const top = makeUserHome(t);
    mkdirSync(`${top}/closed`);
    chmodSync(`${top}/closed`, mode);
    const end = await run(t, top, ["-d", ...IN_PLACE, "-l", "access", "-b", "closed"], asUser(top)).end;
    assert.equal(end.status, status);
    const why = "permission denied; the server's user must be able to enter it";
    assert.equal(end.standardError, `comanche: cannot serve docbase ${top}/closed: ${why}\n`);
  });
}

test("an ordinary user: a file and a folder without the right to read are 403", AS_USER, async (t) => {
  const top = makeUserHome(t);
  mkdirSync(`${top}/htdocs/closed`);
  writeFileSync(`${top}/htdocs/closed.txt`, "secret");
  chmodSync(`${top}/htdocs/closed`, 0o000);
  chmodSync(`${top}/htdocs/closed.txt`, 0o000);
  const server = run(t, top, ["-d", ...IN_PLACE, "-l", "access"], asUser(top));
  const port = await server.port();
  for (const path of ["/closed.txt", "/closed/", "/closed/x"]) {
    assert.match(await get(port, path), /^HTTP\/1\.1 403 .*Reason code: no-permission/s);
  }
});

test("an ordinary user: a port for root alone", AS_USER, async (t) => {
  const top = makeUserHome(t);
  const lowest = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  if (lowest <= 81) return t.skip("ports are free for all on this machine");
  const end = await run(t, top, ["-d", "-c", "comanche.conf", "-p", "81", "-l", "access"], asUser(top)).end;
  assert.deepEqual([end.status, end.signal], [1, null]);
  assert.match(
    end.standardError,
    /^comanche: cannot listen on 127\.0\.0\.1:81: permission denied; ports below 1024 need root, try -p 8080\n$/,
  );
});
