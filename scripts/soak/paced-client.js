/**
 * A process that fetches one file at a steady pace over one connection until its standard input ends, and then prints
 * what it saw as JSON: how long each answer took, and how late it was itself (a busy machine lets everybody wait).
 *
 *     node scripts/soak/paced-client.js PORT PATH INTERVAL_MS
 */
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { percentile } from "./trial.js";

const [port, path, interval] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];

// Where it may, it goes before the load on the same processors: what it measures is to be the server's delay, not its own.
try {
  setPriority(-15);
} catch {}

let isAsked = true;
process.stdin.once("end", () => {
  isAsked = false;
});
process.stdin.resume();

const took = [];
const late = [];
const statuses = new Set();
let client = await Client.connect(port);
const began = performance.now();
let due = began;
while (isAsked) {
  const sent = performance.now();
  late.push(sent - due);
  const answer = await client.exchange({ path });
  const now = performance.now();
  took.push(now - sent);
  statuses.add(answer.status);
  if (answer.closes) client = await Client.connect(port);
  // After a long wait it goes on from here: it does not make up for what it missed.
  due = Math.max(now, due + interval);
  if (due > now) await sleep(due - now);
}
client.close();
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    count: took.length,
    statuses: [...statuses],
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
    max: Math.max(...took),
    ownLateness: percentile(late, 0.99),
    processorShare: (user + system) / 1000 / (performance.now() - began),
  }),
);
