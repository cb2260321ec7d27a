/**
 * A file of 1 KiB over kept connections: Comanche beside nginx, one after the other on the same core, the client (wrk) on
 * another. Prints for each round requests a second, and requests for each second of processor time the server used
 * (`capacity`: that stands when the client, or a neighbour on the machine, is what limits the rate); then the ratios.
 *
 *     node scripts/bench/small-files.js [rounds] [seconds]
 *
 * Absolute figures say more about the machine than about the servers; only the ratios of one run are worth quoting.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SERVER_CORE = "0";
const CLIENT_CORE = "1";
const CONNECTIONS = "64";
const rounds = Number(process.argv[2] ?? 5);
const duration = Number(process.argv[3] ?? 4);

const missing = ["nginx", "wrk", "taskset"].filter((name) => spawnSync("which", [name]).status !== 0);
if (missing.length > 0) {
  console.log(`not measured: ${missing.join(", ")} not installed`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "comanche-bench-"));
// The worker processes of nginx are another user.
chmodSync(folder, 0o755);
const children = [];
try {
  await measure();
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(
    children.map((child) => (child.exitCode === null ? new Promise((done) => child.once("exit", done)) : 0)),
  );
  rmSync(folder, { recursive: true });
}

async function measure() {
  const docs = join(folder, "docs");
  mkdirSync(docs);
  writeFileSync(join(docs, "1k.txt"), "x".repeat(1024));
  const servers = [
    { name: "nginx", port: 18201, command: nginxCommand(docs, 18201) },
    { name: "comanche", port: 18202, command: comancheCommand(docs, 18202) },
  ];
  for (const server of servers) {
    server.child = spawn("taskset", ["-c", SERVER_CORE, ...server.command], { stdio: "ignore" });
    server.results = [];
    children.push(server.child);
    await listening(server.port);
  }
  // The first requests meet code that is not compiled yet.
  for (const server of servers) load(server);
  for (let round = 1; round <= rounds; round += 1) {
    for (const server of servers) server.results.push(load(server));
    console.log(
      `round ${round}: ${servers.map(({ name, results }) => `${name} ${describe(results.at(-1))}`).join(", ")}`,
    );
  }
  const [nginx, comanche] = servers;
  for (const what of ["rate", "capacity"]) {
    const ratios = comanche.results.map((result, index) => result[what] / nginx.results[index][what]);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(
      `${what}, comanche / nginx: median ${median(ratios).toFixed(2)} (${spread}), ${rounds} rounds of ${duration} s`,
    );
  }
}

function load({ port, child }) {
  const words = [
    "-c",
    CLIENT_CORE,
    "wrk",
    "-t1",
    "-c",
    CONNECTIONS,
    "-d",
    `${duration}s`,
    `http://127.0.0.1:${port}/1k.txt`,
  ];
  const before = processorSeconds(child.pid);
  const { stdout } = spawnSync("taskset", words, { encoding: "utf8" });
  const used = processorSeconds(child.pid) - before;
  if (/Non-2xx/.test(stdout)) throw new Error(stdout);
  const requests = Number(/(\d+) requests in/.exec(stdout)[1]);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]), capacity: requests / used };
}

function describe({ rate, capacity }) {
  return `${Math.round(rate)}/s (capacity ${Math.round(capacity)})`;
}

/** Of a process and its children: nginx answers in a child. */
function processorSeconds(pid) {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(processTimes);
  return all.filter((one) => one?.pid === pid || one?.parent === pid).reduce((sum, { ticks }) => sum + ticks, 0) / 100;
}

function processTimes(name) {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    // It ended while we were looking.
    return undefined;
  }
}

function nginxCommand(docs, port) {
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx.err;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type text/plain;
  server { listen 127.0.0.1:${port}; root ${docs}; } }
`,
  );
  return ["nginx", "-p", folder, "-c", file];
}

/** Its access log goes to the null device: nginx writes none here, and Comanche has no option to leave it out. */
function comancheCommand(docs, port) {
  const flags = ["-d", "-q", "-a", "127.0.0.1", "-p", port, "-b", docs, "-l", "/dev/null", "--keepalive-requests", 1e9];
  return [process.execPath, join(ROOT, "dist", "src", "main.js"), ...flags.map(String)];
}

async function listening(port) {
  for (let tries = 0; tries < 100; tries += 1) {
    const isUp = await new Promise((resolve) => {
      const probe = connect({ port, host: "127.0.0.1" });
      probe.once("connect", () => resolve(true));
      probe.once("error", () => resolve(false));
      probe.once("close", () => probe.destroy());
      probe.once("connect", () => probe.destroy());
    });
    if (isUp) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
