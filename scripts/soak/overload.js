/**
 * More work than there are places for it: two task threads and a queue of five.
 *
 *     node scripts/soak/overload.js [seconds]       of ten times overload; 30 by default
 *
 * First 200 uploads and listings at once: each is answered, the accepted ones completely and the rest with 503. Then as
 * many clients as places, which are all served: what they get done is what the server can do. Then ten times that is
 * offered, while a separate process fetches a cached file.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "./client.js";
import { compareWithReceipts, makeDocument, readReceipt, sha256, upload } from "./documents.js";
import { HelperProcess } from "./helper-process.js";
import { Server } from "./server.js";
import { inMilliseconds, runTrial, tally } from "./trial.js";

const WORKERS = 2;
const QUEUE = 5;
const AT_ONCE = 200;
const ENTRIES = 4000;
const MAX_P99_MS = 50;
const LOOKS = 5;
const MIN_SPEED_KEPT = 0.75;
const LISTING = "/many/";

async function run(trial) {
  const { count: seconds = 30, htdocs, check, figure } = trial;
  writeFileSync(join(htdocs, "small.txt"), "x".repeat(1024));
  mkdirSync(join(htdocs, "many"));
  for (let i = 0; i < ENTRIES; i += 1) writeFileSync(join(htdocs, "many", `entry-${i}.txt`), "");

  const flags = ["--workers", WORKERS, "--queue", QUEUE, "--keepalive-requests", 1_000_000_000, "--timeout", 60];
  const server = await Server.start(trial, { flags: flags.map(String) });
  await measureSpeed(server);
  const before = await measureBest(server);

  const receipts = [];
  for (const mixture of ["uploads and listings", "uploads"])
    receipts.push(...(await overrun(server.port, mixture, trial)));
  await checkStored("after the burst", receipts, trial);
  await checkSpeed("after the burst", before, server, trial);

  const capacity = await measureCapacity(server.port, trial);
  receipts.push(...capacity.receipts);
  const load = new HelperProcess("offered-load.js", [server.port, LISTING, seconds, "rate", 10 * capacity.rate], trial);
  const paced = new HelperProcess("paced-client.js", [server.port, "/small.txt", 5], trial);
  const loaded = await load.result;
  const seen = await paced.finish();
  receipts.push(...loaded.receipts);
  reportLoad(`ten times overload for ${seconds} s`, loaded, trial);
  figure(
    "a cached file meanwhile",
    `${seen.count} times, p50 ${inMilliseconds(seen.p50)}, max ${inMilliseconds(seen.max)}`,
  );
  figure("the clients' share of a processor", `load ${percent(loaded)}, cached file ${percent(seen)}`);
  check("every answer for the cached file was 200", seen.statuses.join() === "200", seen.statuses.join());
  check(`p99 of the cached file is below ${MAX_P99_MS} ms`, seen.p99 < MAX_P99_MS, inMilliseconds(seen.p99));

  await checkStored("after the overload", receipts, trial);
  await checkSpeed("after the overload", before, server, trial);
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);
}

/** @returns the receipts of what was stored */
async function overrun(port, mixture, { check, figure }) {
  const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => Client.connect(port)));
  const requests = clients.map((client, index) => {
    const isUpload = mixture === "uploads" || index % 2 === 0;
    const document = isUpload ? makeDocument(`burst of ${mixture} ${index}`, 20_000) : undefined;
    return { client, document };
  });
  const answers = await Promise.allSettled(
    requests.map(({ client, document }) =>
      document ? upload(client, document) : client.exchange({ path: LISTING, fields: { Accept: "application/json" } }),
    ),
  );
  const unanswered = answers.filter(({ status }) => status === "rejected");
  check(`all of ${AT_ONCE} ${mixture} at once are answered`, unanswered.length === 0, unanswered[0]?.reason.message);

  const receipts = [];
  const faults = [];
  let closedByBusy = 0;
  for (const [index, { value: answer }] of answers.entries()) {
    const { document } = requests[index];
    if (answer === undefined) continue;
    if (answer.status === 503) {
      if (!/^[1-9]\d*$/.test(answer.fields.get("retry-after"))) faults.push("503 without Retry-After");
      if (!answer.body.includes("queue-full")) faults.push("503 for another reason");
      if (answer.closes && document === undefined) faults.push("503 closes the connection of a listing");
      if (answer.closes) closedByBusy += 1;
    } else if (document !== undefined) {
      const receipt = readReceipt(answer);
      if (receipt.sha256 !== sha256(document)) faults.push(`receipt for another document: ${receipt.name}`);
      receipts.push(receipt);
    } else if (answer.status !== 200 || JSON.parse(answer.body).entries.length !== ENTRIES) {
      faults.push(`listing: ${answer.status} with ${answer.body.length} bytes`);
    }
  }
  const statuses = answers.map(({ value }) => value?.status ?? "no answer");
  check("each is accepted and done, or 503 with Retry-After", faults.length === 0, faults[0] ?? tally(statuses));
  const busy = statuses.filter((status) => status === 503).length;
  const isBusyExact = busy > 0 && AT_ONCE - busy >= WORKERS + QUEUE;
  check(`at least the ${WORKERS + QUEUE} that have a place are accepted, and not all`, isBusyExact, AT_ONCE - busy);
  figure("uploads whose 503 closed the connection", closedByBusy);

  const open = clients.filter((client) => client.isOpen);
  const next = await Promise.allSettled(open.map((client) => client.exchange({ path: "/small.txt" })));
  const served = next.filter(({ value }) => value?.status === 200).length;
  check("the connections that stayed open still serve", served === open.length, `${served} of ${open.length}`);
  for (const client of clients) client.close();
  return receipts;
}

async function checkStored(when, receipts, { check, htdocs }) {
  const faults = compareWithReceipts(join(htdocs, "uploads"), receipts);
  const what = `${when}: exactly the ${receipts.length} acknowledged uploads are there, byte for byte`;
  check(what, faults.length === 0, faults[0] && `${faults.length} faults, the first: ${faults[0]}`);
}

async function measureCapacity(port, trial) {
  const places = WORKERS + QUEUE;
  const load = new HelperProcess("offered-load.js", [port, LISTING, 3, "clients", places], trial);
  const found = await load.result;
  reportLoad(`as many clients as places (${places})`, found, trial);
  trial.check("none of them is refused", found.statuses[503] === undefined, found.statuses[503] ?? 0);
  const rate = Math.round(((found.statuses[200] ?? 0) + (found.statuses[201] ?? 0)) / found.elapsed);
  return { rate, receipts: found.receipts };
}

function reportLoad(title, { offered, notOffered, elapsed, statuses, connections, faults }, { check, figure }) {
  const done = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`);
  const answered = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  figure(
    title,
    `${Math.round(offered / elapsed)} requests a second over ${connections} connections: ${done.join(", ")}`,
  );
  if (notOffered > 0) figure("not offered, for want of connections", notOffered);
  check("each was answered as it should be", answered === offered && faults.length === 0, faults[0]);
}

async function checkSpeed(when, before, server, { check }) {
  const now = await measureBest(server);
  const format = ({ rate, capacity }) => `${Math.round(rate)} (${Math.round(capacity)})`;
  const found = `${format(now)} requests a second (of its processor time), ${format(before)} before`;
  check(`${when}: a cached file is served at full speed`, now.capacity > MIN_SPEED_KEPT * before.capacity, found);
}

/** The best of several looks: a neighbour on the machine spoils one or two, a server that has become slow is slow in all. */
async function measureBest(server) {
  const looks = [];
  for (let count = 0; count < LOOKS; count += 1) looks.push(await measureSpeed(server));
  return looks.reduce((best, look) => (look.capacity > best.capacity ? look : best));
}

/**
 * Requests for a cached file by the second, and by the second of processor time that the server takes for them: only the
 * latter is the same whatever else the machine does.
 */
async function measureSpeed(server) {
  const clients = await Promise.all(Array.from({ length: 8 }, () => Client.connect(server.port)));
  const [began, spent] = [performance.now(), server.processorTime()];
  const counts = await Promise.all(
    clients.map(async (client) => {
      let count = 0;
      for (; performance.now() < began + 600; count += 1) await client.exchange({ path: "/small.txt" });
      return count;
    }),
  );
  for (const client of clients) client.close();
  const count = counts.reduce((sum, each) => sum + each, 0);
  const rate = count / ((performance.now() - began) / 1000);
  return { rate, capacity: count / (server.processorTime() - spent) };
}

function percent({ processorShare }) {
  return `${Math.round(100 * processorShare)} %`;
}

await runTrial("overload: 2 task threads, a queue of 5", 180, run);
