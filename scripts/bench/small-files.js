/**
 * Requests a second for a file of 1 KiB over kept connections: Comanche beside nginx, one after the other on the same core,
 * the client (wrk) on another. Prints each round, the medians, and their ratio.
 *
 *     node scripts/bench/small-files.js [rounds] [seconds]
 *
 * Absolute figures say more about the machine than about the servers; only the ratio of one run is worth quoting.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
  for (const { command, port } of servers) {
    children.push(spawn("taskset", ["-c", SERVER_CORE, ...command], { stdio: "ignore" }));
    await listening(port);
  }
  const results = new Map(servers.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, port } of servers) results.get(name).push(load(port));
    console.log(`round ${round}: ${servers.map(({ name }) => `${name} ${results.get(name).at(-1)}/s`).join(", ")}`);
  }
  const ratios = results.get("comanche").map((rate, index) => rate / results.get("nginx")[index]);
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  for (const [name, rates] of results) console.log(`${name}: median ${median(rates)}/s`);
  console.log(
    `comanche / nginx: median ${median(ratios).toFixed(2)} (${spread}) over ${rounds} rounds of ${duration} s`,
  );
}

function load(port) {
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
  const { stdout } = spawnSync("taskset", words, { encoding: "utf8" });
  if (/Non-2xx/.test(stdout)) throw new Error(stdout);
  return Math.round(Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]));
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
