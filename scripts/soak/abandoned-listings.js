/**
 * Clients that ask for the index of a large folder and leave: the work ends with them, and memory returns.
 *
 *     node scripts/soak/abandoned-listings.js [entries]   200000 by default
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { startNginx } from "./nginx.js";
import { Server } from "./server.js";
import { inMilliseconds, runTrial } from "./trial.js";

const CLIENTS = 50;
const ROUNDS = 3;
const STAY_MS = 2000;
const MAX_WAIT_MS = 2000;
const MAX_TIMES_NGINX = 2;
const MAX_GROWTH_MIB = 400;
const MAX_KEPT_MIB = 100;
/** Different orders and forms are different indexes: these occupy all threads. */
const QUERIES = ["", "?C=N&O=D", "?C=M&O=A", "?C=M&O=D", "?C=S&O=A", "?C=S&O=D"];
const FORMS = ["text/html", "application/json"];

async function run(trial) {
  const { count: entries = 200_000, htdocs, check, figure } = trial;
  for (const [folder, names] of [
    ["many", entries],
    ["few", 20],
  ]) {
    mkdirSync(join(htdocs, folder));
    for (let i = 0; i < names; i += 1) writeFileSync(join(htdocs, folder, `file-${i}.txt`), "");
  }
  const server = await Server.start(trial, { flags: ["--processes", "1"] });
  const nginx = await startNginx(trial);
  const listing = await time(server.port, "/many/");
  const rest = server.memory().resident;
  if (nginx !== undefined) {
    const ofNginx = await time(nginx, "/many/");
    const times = listing / ofNginx;
    const found = `${inMilliseconds(listing)} and ${inMilliseconds(ofNginx)}, ${times.toFixed(2)} times`;
    check(
      `one index of ${entries} names takes at most ${MAX_TIMES_NGINX} times nginx's time`,
      times <= MAX_TIMES_NGINX,
      found,
    );
  }

  for (const [what, queries, forms] of [
    ["one index", QUERIES.slice(0, 1), FORMS.slice(0, 1)],
    ["12 indexes", QUERIES, FORMS],
  ]) {
    let most = 0;
    const sampling = setInterval(() => {
      most = Math.max(most, server.memory().resident);
    }, 100);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.connect(server.port)));
    for (const [index, client] of clients.entries()) {
      const path = `/many/${queries[index % queries.length]}`;
      const Accept = forms[Math.floor(index / queries.length) % forms.length];
      client.exchange({ path, fields: { Accept } }).catch(() => undefined);
    }
    await sleep(STAY_MS);
    for (const client of clients) client.close();
    const began = performance.now();
    const honest = await Client.connect(server.port);
    const { status } = await honest.exchange({ path: "/few/", patience: 100_000 });
    const waited = performance.now() - began;
    honest.close();
    check(
      `${what} for ${CLIENTS} clients that leave: a small index then waits less than ${MAX_WAIT_MS} ms`,
      status === 200 && waited < MAX_WAIT_MS,
      `${status} after ${inMilliseconds(waited)}`,
    );
    // Idle threads end after ten seconds.
    await sleep(14_000);
    clearInterval(sampling);
    figure("  memory at most", `${(most - rest).toFixed(0)} MiB more`);
    const kept = server.memory().resident - rest;
    check(`  and returned, but for ${MAX_KEPT_MIB} MiB`, kept < MAX_KEPT_MIB, `${kept.toFixed(0)} MiB`);
    if (what === "one index") check(`  below ${MAX_GROWTH_MIB} MiB`, most - rest < MAX_GROWTH_MIB);
  }
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);
}

/** The best of some rounds, in milliseconds. */
async function time(port, path) {
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const client = await Client.connect(port);
    const began = performance.now();
    await client.exchange({ path, patience: 60_000 });
    times.push(performance.now() - began);
    client.close();
  }
  return Math.min(...times);
}

await runTrial("indexes that no client waits for", 240, run);
