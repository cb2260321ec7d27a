/**
 * Clients that ask for much and read nothing: others do not wait for them, and their memory is given back.
 *
 *     node scripts/soak/slow-readers.js [clients]   1000 by default
 *
 * They ask for a file of 64 MiB, for many ranges of it, for a folder of 20,000 names, and for the file over TLS; nginx is asked for
 * the file too. A separate process fetches a small cached file all the time.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HelperProcess } from "./helper-process.js";
import { startNginx } from "./nginx.js";
import { Server } from "./server.js";
import { inMilliseconds, runTrial } from "./trial.js";

const PACE_MS = 5;
const MAX_P50_MS = 50;
/** Below this, the 99th percentile says more of the machine than of the server. */
const MIN_QUIET_P99_MS = 20;
const MAX_GROWTH_MIB = 160;
const MAX_KEPT_MIB = 60;
const LISTED = 20_000;
const RANGES = Array.from({ length: 100 }, (_, index) => `${index * 500_000}-${index * 500_000 + 400_000}`).join(",");

const ROUNDS = [
  ["a file of 64 MiB", "plain", "/big.bin", undefined],
  ["100 ranges of it", "plain", "/big.bin", `Range: bytes=${RANGES}`],
  ["a folder of 20,000 names", "plain", "/many/", undefined],
  ["a file of 64 MiB over TLS", "tls", "/big.bin", undefined],
];

async function run(trial) {
  const { count = 1000, main, htdocs, figure, check } = trial;
  writeFileSync(join(htdocs, "small.txt"), "x".repeat(1024));
  writeFileSync(join(htdocs, "big.bin"), Buffer.alloc(64 * 2 ** 20, "x"));
  mkdirSync(join(htdocs, "many"));
  for (let i = 0; i < LISTED; i += 1) writeFileSync(join(htdocs, "many", `file-${i}.txt`), "");
  const nginx = await startNginx(trial);
  const tlsPort = nginx === undefined ? 18_443 : nginx + 1;
  const pem = join(dirname(dirname(dirname(main))), "test", "keys", "p256.pem");
  const flags = ["--keepalive-requests", "1000000000", "--tls-port", tlsPort, "--tls-cert", pem, "--processes", 2];
  const server = await Server.start(trial, { flags: flags.map(String) });

  if (nginx !== undefined) {
    const seen = await watch(nginx, nginx, count, ROUNDS[0], trial);
    figure("nginx, beside clients that read nothing", describe(seen));
  }
  await watch(server.port, server.port, 10, ROUNDS[0], trial);
  const rest = server.memory().resident;
  const quiet = await pace(server.port, () => sleep(4000), trial);
  figure("a small file at rest", describe(quiet));
  const limit = 3 * Math.max(quiet.p99, MIN_QUIET_P99_MS);
  for (const round of ROUNDS) {
    const [what, kind, path] = round;
    const spent = server.processorTime();
    let most = 0;
    const seen = await watch(server.port, kind === "tls" ? tlsPort : server.port, count, round, trial, () => {
      most = Math.max(most, server.memory().resident);
    });
    figure(`beside ${count} clients for ${what}`, describe(seen));
    figure("  processor time of the server", `${(server.processorTime() - spent).toFixed(1)} s`);
    check(`${what}: p50 of others below ${MAX_P50_MS} ms`, seen.p50 < MAX_P50_MS, inMilliseconds(seen.p50));
    check(`${what}: p99 of others below ${inMilliseconds(limit)}`, seen.p99 < limit, inMilliseconds(seen.p99));
    // Idle task threads end after ten seconds.
    if (path === "/many/") await sleep(12_000);
    const kept = server.memory().resident - rest;
    if (kind === "tls") figure("  memory with TLS, which has its own", `${(most - rest).toFixed(0)} MiB more`);
    else
      check(`${what}: at most ${MAX_GROWTH_MIB} MiB`, most - rest < MAX_GROWTH_MIB, `${(most - rest).toFixed(0)} MiB`);
    if (kind === "tls") figure("  and after they have gone", `${kept.toFixed(0)} MiB more`);
    else check(`${what}: given back, but for ${MAX_KEPT_MIB} MiB`, kept < MAX_KEPT_MIB, `${kept.toFixed(0)} MiB`);
  }
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);
}

/** What others see of `port` while `count` clients ask `deafPort` and read nothing. */
async function watch(port, deafPort, count, [, kind, path, field], trial, onSample = () => undefined) {
  const sampling = setInterval(onSample, 200);
  const seen = await pace(
    port,
    async () => {
      const words = [deafPort, count, kind, path, ...(field === undefined ? [] : [field])];
      const deaf = new HelperProcess("deaf-clients.js", words, trial);
      await sleep(8000);
      await deaf.finish();
    },
    trial,
  );
  await sleep(2000);
  clearInterval(sampling);
  return seen;
}

async function pace(port, act, trial) {
  const paced = new HelperProcess("paced-client.js", [port, "/small.txt", PACE_MS], trial);
  await sleep(500);
  await act();
  return paced.finish();
}

function describe({ count, p50, p99, max }) {
  return `${count} answers, p50 ${inMilliseconds(p50)}, p99 ${inMilliseconds(p99)}, max ${inMilliseconds(max)}`;
}

await runTrial("clients that read nothing, and others beside them", 400, run);
