/**
 * Code that has got into a worker process and tries what it could do to others. Loaded into one with
 * `NODE_OPTIONS=--import=…`, which loads it into every thread, it waits for SIGWINCH, tries everything on the event loop,
 * in libuv's threads and in other threads, and writes one line on standard error: `REPORT_MARK` and a `ProbeReport`.
 *
 * What to try it is told in the environment variable `CONFINEMENT_PROBE`, a `ProbeOrder` as JSON.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { BroadcastChannel, isMainThread, parentPort, threadId, Worker } from "node:worker_threads";

export interface ProbeOrder {
  /** A file that the worker must not read. */
  readonly secret: string;
  /** A folder that it must not write to, with a file `victim`. */
  readonly outside: string;
  /** A file that it serves. */
  readonly served: string;
  /** A folder that it stores uploads in. */
  readonly uploads: string;
  /** A process that it must not signal. */
  readonly pid: number;
  /** A port of 127.0.0.1 that somebody else listens on. */
  readonly port: number;
  /** How many threads the worker has started by itself, each of which is to try it too. */
  readonly threads: number;
}

/** By what was tried: `done`, or the code of the error. */
export type Attempts = Readonly<Record<string, string>>;

export interface ProbeReport {
  readonly pid: number;
  readonly loop: Attempts;
  /** Of libuv: what several attempts at once came to. */
  readonly threadPool: Attempts;
  /** One of each thread. */
  readonly threads: readonly Attempts[];
}

export const REPORT_MARK = "confinement-probe ";

/** More than libuv has threads, so that every one of them tries. */
const AT_ONCE = 16;

const CHANNEL_NAME = "confinement-probe";
const MAIN = "main";

const variable = process.env.CONFINEMENT_PROBE;
if (variable !== undefined) {
  const order = JSON.parse(variable) as ProbeOrder;
  if (isMainThread) await prepare(order);
  else standBy(order);
}

/** Starts a thread while the program can still be loaded. */
async function prepare(order: ProbeOrder): Promise<void> {
  const thread = new Worker(fileURLToPath(import.meta.url), { argv: [MAIN] });
  await once(thread, "message");
  thread.unref();
  process.on("SIGWINCH", () => void report(order));
}

async function report(order: ProbeOrder): Promise<void> {
  const threads = tryInThreads(1 + order.threads);
  const found: ProbeReport = {
    pid: process.pid,
    loop: { ...(await tryHere(order)), "become root": attempt(() => process.setuid?.(0)) },
    threadPool: await tryInThreadPool(order),
    threads: await threads,
  };
  writeSync(2, `${REPORT_MARK}${JSON.stringify(found)}\n`);
}

function tryInThreads(count: number): Promise<readonly Attempts[]> {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(CHANNEL_NAME);
    const answers: Attempts[] = [];
    channel.onmessage = (event) => {
      answers.push((event as { data: Attempts }).data);
      if (answers.length < count) return;
      channel.close();
      resolve(answers);
    };
    channel.postMessage("try");
  });
}

/** In a thread: tries it when it is called. */
function standBy(order: ProbeOrder): void {
  const channel = new BroadcastChannel(CHANNEL_NAME);
  channel.onmessage = (event) => {
    if ((event as { data: unknown }).data === "try") void tryHere(order).then((found) => channel.postMessage(found));
  };
  // The threads of others end when they like.
  if (process.argv.includes(MAIN)) parentPort?.postMessage("up");
  else channel.unref();
}

async function tryHere({ secret, outside, served, uploads, pid, port }: ProbeOrder): Promise<Attempts> {
  return {
    "read what is served": attempt(() => readFileSync(served)),
    "store an upload": attempt(() => storeLikeUpload(uploads)),
    "read a secret": attempt(() => readFileSync(secret)),
    "climb to a secret": attempt(() => readFileSync(`${"../".repeat(40)}${secret}`)),
    "list the root": attempt(() => readdirSync("/")),
    "write a file": attempt(() => writeFileSync(`${outside}/probe`, "x")),
    "truncate a file": attempt(() => truncateSync(`${outside}/victim`)),
    "make a folder": attempt(() => mkdirSync(`${outside}/probe.d`)),
    "bind a port": await attemptToListen(),
    "connect to a port": await attemptToConnect(port),
    "signal a process": attempt(() => process.kill(pid, 0)),
    "execute a program": attempt(() => {
      const { error } = spawnSync("/bin/true");
      if (error !== undefined) throw error;
    }),
  };
}

async function tryInThreadPool({ secret, outside, served }: ProbeOrder): Promise<Attempts> {
  const tries: Readonly<Record<string, (index: number) => Promise<unknown>>> = {
    "read what is served": () => readFile(served),
    "read a secret": () => readFile(secret),
    "write a file": (index) => writeFile(`${outside}/probe-${index}`, "x"),
    "truncate a file": () => truncate(`${outside}/victim`),
    "make a folder": (index) => mkdir(`${outside}/probe-${index}.d`),
  };
  const attempts: Record<string, string> = {};
  for (const [name, act] of Object.entries(tries)) {
    const all = Array.from({ length: AT_ONCE }, (_, index) => act(index).then(() => "done", codeOf));
    attempts[name] = [...new Set(await Promise.all(all))].join(", ");
  }
  return attempts;
}

/** As site/upload-store.ts and tasks/store-json.ts do it. */
function storeLikeUpload(folder: string): void {
  const name = `${folder}/probe-${process.pid}-${threadId}`;
  const file = openSync(`${name}.part`, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  writeSync(file, "[]");
  fchmodSync(file, 0o644);
  fsyncSync(file);
  closeSync(file);
  linkSync(`${name}.part`, `${name}.json`);
  unlinkSync(`${name}.part`);
  const directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  fsyncSync(directory);
  closeSync(directory);
}

function attempt(act: () => unknown): string {
  try {
    act();
    return "done";
  } catch (error) {
    return codeOf(error);
  }
}

function attemptToListen(): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer().once("error", (error) => resolve(codeOf(error)));
    server.listen({ port: 0, host: "127.0.0.1" }, () => server.close(() => resolve("done")));
  });
}

function attemptToConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve("done")).once("error", (error) => resolve(codeOf(error)));
    socket.once("connect", () => socket.destroy());
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
