/**
 * A contender while it runs: started on its cores with files of its own, watched, and ended with all its processes.
 *
 * Whatever is wrong with it is said at once and ends the benchmark: a port that is taken, a server that does not come up,
 * one that dies while it is measured. A figure taken beside such a fault would be believed.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onCores } from "./cores.js";
import { processesOf } from "./processor-time.js";

export const HOST = "127.0.0.1";
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 5_000;
const STDERR_LINES_SHOWN = 5;

const running = new Set();

/**
 * Starts a server without waiting for it.
 *
 * @param plan       `command`, `files` (name in the server's folder, text) and `environment`, as a contender plans them
 * @param neighbour  the first process of another server on the same cores that belongs to what is measured, or undefined
 * @returns a handle whose `died` rejects when the server ends although nobody stopped it
 */
export async function spawnServer({ label, plan, folder, port, cores, neighbour }) {
  await assertFree(port);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(plan.files ?? {})) writeFileSync(join(folder, name), text);
  const output = openSync(join(folder, "output"), "w");
  const [program, ...words] = onCores(cores.server, plan.command);
  const began = performance.now();
  const child = spawn(program, words, {
    cwd: folder,
    // A session of its own: lighttpd with several workers ends by signalling its whole process group.
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...plan.environment },
  });
  closeSync(output);
  const server = { label, port, pid: child.pid, neighbour, began, isStopping: false };
  server.died = new Promise((_, reject) => {
    child.once("error", (cause) => reject(new Error(`${label}: cannot start ${program}: ${cause.message}`)));
    child.once("exit", (code, signal) => {
      if (!server.isStopping) reject(new Error(`${label} ended (${signal ?? `exit ${code}`})${lastWords(folder)}`));
    });
  });
  // Whoever waits for something of this server races it against `died`; until then nobody may be listening.
  server.died.catch(() => {});
  running.add(server);
  return server;
}

/** Starts a server and waits until it accepts connections. */
export async function startServer(order) {
  const server = await spawnServer(order);
  await unlessDied(server, listening(server));
  return server;
}

/** What `work` comes to, or the server's death if that is first. */
export function unlessDied(server, work) {
  return Promise.race([work, server.died]);
}

/** Returns when no process of the server is left. */
export async function stopServer(server) {
  server.isStopping = true;
  running.delete(server);
  const pids = processesOf(server.pid).map(({ pid }) => pid);
  signal(server.pid, "SIGTERM");
  const deadline = performance.now() + STOP_LIMIT_MS;
  while (pids.some(isAlive) && performance.now() < deadline) await sleep(10);
  for (const pid of pids.filter(isAlive)) signal(pid, "SIGKILL");
  while (pids.some(isAlive)) await sleep(10);
}

export async function stopAllServers() {
  await Promise.all([...running].map(stopServer));
}

/** For the moment in which this process ends and can wait for nothing. */
export function killAllServers() {
  for (const { pid: leader } of running) for (const { pid } of processesOf(leader)) signal(pid, "SIGKILL");
}

async function assertFree(port) {
  const probe = createServer();
  await new Promise((resolve, reject) => {
    probe.once("error", ({ code }) => {
      reject(new Error(`port ${port} is not free (${code}): choose another one with --port`));
    });
    probe.listen(port, HOST, resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

async function listening({ label, port, folder }) {
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await accepts(port))) {
    if (performance.now() > deadline) throw new Error(`${label} does not listen on port ${port}${lastWords(folder)}`);
    await sleep(10);
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const probe = connect({ port, host: HOST });
    probe.once("error", () => resolve(false));
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
  });
}

function lastWords(folder) {
  const words = ["output", "error.log"]
    .map((name) => join(folder, name))
    .filter(existsSync)
    .flatMap((file) => readFileSync(file, "utf8").trim().split("\n"))
    .filter((line) => line !== "");
  return words.length === 0 ? "" : `: ${words.slice(-STDERR_LINES_SHOWN).join(" | ")}`;
}

/** A zombie counts as ended: its parent has only not asked yet. */
function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
