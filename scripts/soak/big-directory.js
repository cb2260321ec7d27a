/**
 * A directory with 100,000 entries: its index is complete and right, and others do not wait for it.
 *
 *     node scripts/soak/big-directory.js [entries]  100000 by default
 *
 * While it is asked for, a separate process fetches a cached file every 2 ms, and perf_hooks watches the event loop of
 * the server's first process.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "./client.js";
import { HelperProcess } from "./helper-process.js";
import { Server } from "./server.js";
import { inMilliseconds, percentile, runTrial } from "./trial.js";

const PACE_MS = 2;
const MAX_WORKED_MS = 20;

async function run(trial) {
  const { count: entries = 100_000, folder, htdocs, figure, check } = trial;
  writeFileSync(join(htdocs, "small.txt"), "x".repeat(1024));
  mkdirSync(join(htdocs, "many"));
  const wanted = new Map();
  for (let i = 0; i < entries; i += 1) {
    const name = `a file with & in its näme ${i}.txt`;
    const size = i % 7;
    writeFileSync(join(htdocs, "many", name), "x".repeat(size));
    wanted.set(name, size);
  }

  const delays = join(folder, "loop-delay");
  writeFileSync(delays, "");
  const server = await Server.start(trial, {
    flags: ["--keepalive-requests", "1000000000"],
    nodeFlags: ["--import", fileURLToPath(new URL("loop-delay.js", import.meta.url))],
    environment: { LOOP_DELAY_FILE: delays },
  });
  // What is compiled and loaded on first use is not what is measured.
  await fetchOnce(server.port, "/small.txt");
  const atRest = await watchPace(server, delays, () => sleep(2000), trial);
  reportPace("at rest", atRest, trial);
  const firstTask = await watchPace(server, delays, () => fetchOnce(server.port, "/"), trial);
  reportPace("while the first task thread starts", firstTask, trial);

  for (const form of ["page", "JSON"]) {
    const accept = form === "page" ? "text/html" : "application/json";
    let answer;
    const pace = await watchPace(
      server,
      delays,
      async () => {
        const began = performance.now();
        answer = await fetchOnce(server.port, "/many/", { Accept: accept });
        answer.took = performance.now() - began;
      },
      trial,
    );
    const { status, body, firstByte, took, fields } = answer;
    const shown = form === "page" ? readPage(body) : readJson(body);
    check(
      `${form}: complete and right`,
      status === 200 && isSame(shown, wanted, form),
      `${shown.size} of ${entries} entries`,
    );
    const manner = fields.get("content-length") === undefined ? "streamed" : "in one piece";
    figure(
      form,
      `${(body.length / 1e6).toFixed(1)} MB ${manner}, first byte after ${inMilliseconds(firstByte)}, complete after ${inMilliseconds(took)}`,
    );
    reportPace(`a cached file every ${PACE_MS} ms during ${form}`, pace, trial);
    check(
      `${form}: the event loop is never kept busy for ${MAX_WORKED_MS} ms`,
      pace.worked < MAX_WORKED_MS,
      inMilliseconds(pace.worked),
    );
  }
  const { resident, highest } = server.memory();
  figure("resident", `${resident.toFixed(0)} MiB, highest ${highest.toFixed(0)} MiB`);
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);
}

/** What a paced client and the event loop saw while `act` ran. */
async function watchPace(server, delays, act, trial) {
  const paced = new HelperProcess("paced-client.js", [server.port, "/small.txt", PACE_MS], trial);
  // Until it has started: a new process is a burden of its own.
  await sleep(500);
  const before = readFileSync(delays, "utf8").length;
  await act();
  await sleep(150);
  const lines = readFileSync(delays, "utf8")
    .slice(before)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const loopMax = Math.max(...lines.map(({ max }) => max));
  const loopP99 = percentile(
    lines.map(({ p99 }) => p99),
    0.5,
  );
  const worked = Math.max(...lines.map(({ worked }) => worked));
  return { ...(await paced.finish()), loopMax, loopP99, worked };
}

function reportPace(
  title,
  { count, statuses, p50, p99, max, ownLateness, loopMax, loopP99, worked },
  { figure, check },
) {
  figure(
    title,
    `${count} answers, p50 ${inMilliseconds(p50)}, p99 ${inMilliseconds(p99)}, max ${inMilliseconds(max)} (the client itself late by ${inMilliseconds(ownLateness)} at p99)`,
  );
  figure(
    "  delay of the event loop",
    `p99 ${inMilliseconds(loopP99)}, max ${inMilliseconds(loopMax)}, own work at most ${inMilliseconds(worked)}`,
  );
  if (statuses.join() !== "200") check("the cached file is always served", false, statuses.join());
}

/** Names and sizes; a page rounds sizes, so there only small ones are exact. */
function readJson(body) {
  return new Map(JSON.parse(body).entries.map(({ href, size }) => [decodeURIComponent(href.slice("./".length)), size]));
}

function readPage(body) {
  const rows = body.toString().matchAll(/<tr><th scope=row><a href="([^"]*)"[^\n]*/g);
  return new Map(
    [...rows].map(([row, href]) => [decodeURIComponent(href), Number(/>(\d+) (?:B|bytes?)\b/.exec(row)?.[1])]),
  );
}

function isSame(shown, wanted, form) {
  if (shown.size !== wanted.size) return false;
  for (const [name, size] of wanted) {
    if (!shown.has(name) || shown.get(name) !== size) {
      console.log(`         ${form}: ${name} has size ${shown.get(name)} instead of ${size}`);
      return false;
    }
  }
  return true;
}

async function fetchOnce(port, path, fields) {
  const client = await Client.connect(port);
  const answer = await client.exchange({ path, fields });
  client.close();
  return answer;
}

await runTrial("a directory with very many entries", 240, run);
