/**
 * The life of a daemon as its operator sees it: `comanche --daemon`, `status`, `reload`, `stop`, with names of files that
 * are relative to where it was started.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { readState } from "../../src/control/state-file.ts";
import { ComancheCommand, type CommandEnd } from "../support/comanche-command.ts";
import { fetching } from "../support/errands.ts";
import { makeTree } from "../support/file-tree.ts";
import { endProcess, formatConfiguration } from "../support/live-server.ts";
import { childrenOf, descriptorsOf, isRunning } from "../support/process-facts.ts";
import { onlyRoot } from "../support/root.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/visitors.ts";

const PROCESSES = 2;
const SMALL = Buffer.from("small");
const BOUNDED = { timeout: 180_000 };

function makeHome(t: TestContext, options: Readonly<Record<string, string>> = {}): AbsolutePath {
  const configuration = formatConfiguration({ processes: String(PROCESSES), ...options });
  return makeTree(t, { "htdocs/small.txt": "small", "comanche.conf": configuration });
}

function comanche(t: TestContext, top: string, ...args: readonly string[]): Promise<CommandEnd> {
  const command = new ComancheCommand([...args, "-c", "comanche.conf"], { cwd: top });
  t.after(() => command.kill());
  return command.end;
}

/** @returns the PID of the primary */
async function startDaemon(t: TestContext, top: string): Promise<{ pid: number; port: number }> {
  const { status, standardOutput, standardError } = await comanche(t, top, "--daemon");
  assert.equal(status, 0, standardError);
  const pid = Number(readFileSync(`${top}/pid`, "utf8"));
  t.after(async () => {
    const processes = [pid, ...childrenOf(pid)].filter(isRunning);
    for (const each of processes) endProcess(each);
    await until("they have gone", () => !processes.some(isRunning));
  });
  return { pid, port: Number(/http:\/\/127\.0\.0\.1:(\d+)\//.exec(standardOutput)?.[1]) };
}

test(
  "a daemon: start, status, reload, worker lost, reload of a broken file, second start, stop",
  BOUNDED,
  async (t) => {
    const top = makeHome(t);
    const { pid, port } = await startDaemon(t, top);
    const isServing = async () => (await ask(port, fetching("/small.txt", SMALL))).status === 200;
    assert.ok(await isServing());
    assert.equal(readlinkSync(`/proc/${pid}/cwd`), "/");
    const terminals = [pid, ...childrenOf(pid)].flatMap(descriptorsOf).filter((place) => place.startsWith("/dev/pts/"));
    assert.deepEqual(terminals, []);

    const workers = childrenOf(pid);
    assert.equal(workers.length, PROCESSES);
    const status = await comanche(t, top, "status");
    assert.equal(status.status, 0, status.standardError);
    assert.match(status.standardOutput, new RegExp(`PID ${pid}\\b`));
    for (const worker of workers) assert.match(status.standardOutput, new RegExp(`worker ${worker}\\b`));

    const reload = await comanche(t, top, "reload");
    assert.deepEqual([reload.status, reload.standardError], [0, ""]);
    await until("the old workers have gone", () => !workers.some(isRunning));
    await until("no zombie is left", () => childrenOf(pid).length === PROCESSES);
    assert.ok(await isServing());

    const [victim = 0] = childrenOf(pid);
    process.kill(victim, "SIGKILL");
    const state = () => readState(absolutePath(`${top}/pid`));
    await until("it is replaced", () => !state()?.workers.some((worker) => worker.pid === victim));
    await until("there are two", () => childrenOf(pid).filter(isRunning).length === PROCESSES);
    assert.ok(await isServing());

    const second = await comanche(t, top, "--daemon");
    assert.deepEqual([second.status, second.standardOutput], [1, ""]);
    assert.match(second.standardError, new RegExp(`^comanche: already running with PID ${pid} [^\\n]*\\n$`));
    assert.ok(await isServing());

    const last = childrenOf(pid);
    const stop = await comanche(t, top, "stop");
    assert.deepEqual([stop.status, stop.standardOutput, stop.standardError], [0, `stopped (PID ${pid})\n`, ""]);
    assert.deepEqual([pid, ...last].filter(isRunning), []);
    for (const name of ["pid", "pid.state"]) assert.equal(existsSync(`${top}/${name}`), false, name);
    assert.equal((await comanche(t, top, "status")).status, 3);
    assert.equal((await comanche(t, top, "reload")).status, 1);
  },
);

async function takePort(t: TestContext): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  t.after(() => holder.close());
  const address = holder.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

interface FailedStart {
  readonly name: string;
  readonly skip?: string | false;
  readonly options: (t: TestContext) => Promise<Readonly<Record<string, string>>>;
  readonly want: RegExp;
}

const FAILED_STARTS: readonly FailedStart[] = [
  {
    name: "a port in use",
    options: async (t) => ({ port: String(await takePort(t)) }),
    want: /^comanche: cannot listen on 127\.0\.0\.1:\d+: the port is in use; .*\n$/,
  },
  {
    name: "a user that the system does not know",
    options: async () => ({ user: "nobody-of-that-name" }),
    want: /^comanche: user = nobody-of-that-name: .*\n$/,
  },
  {
    name: "no document root",
    options: async () => ({ docbase: "gone" }),
    want: /^comanche: cannot serve docbase .*\/gone: there is no such directory; .*\n$/,
  },
  {
    name: "a chroot without a user",
    skip: onlyRoot,
    options: async () => ({ chroot: "htdocs", docbase: "/" }),
    want: /^comanche: comanche\.conf:\d+: .*chroot = htdocs: expected user to name an unprivileged account.*\n$/,
  },
  {
    name: "a chroot that is not there",
    skip: onlyRoot,
    options: async () => ({ chroot: "gone", user: "daemon", docbase: "/" }),
    want: /^comanche: chroot = .*\/gone: there is no such directory\n$/,
  },
  {
    name: "a document root that is not in the chroot",
    skip: onlyRoot,
    options: async () => ({ chroot: "htdocs", user: "daemon", docbase: "/gone" }),
    want: /^comanche: cannot serve docbase \/gone: there is no such directory inside the chroot .*\n$/,
  },
];
for (const { name, skip = false, options, want } of FAILED_STARTS) {
  test(`a daemon with ${name}: one line, exit 1, and nothing is left`, { skip, ...BOUNDED }, async (t) => {
    const top = makeHome(t, await options(t));
    const { status, standardOutput, standardError } = await comanche(t, top, "--daemon");
    assert.deepEqual([status, standardOutput], [1, ""], standardError);
    assert.match(standardError, want);
    for (const file of ["pid", "pid.state", "gone"]) assert.equal(existsSync(`${top}/${file}`), false, file);
  });
}
