/**
 * A process that offers listings and uploads, turn about, whether the server keeps up or not; then prints as JSON what
 * was answered, with the receipts of the uploads.
 *
 *     node scripts/soak/offered-load.js PORT LISTING_PATH SECONDS rate REQUESTS_A_SECOND
 *     node scripts/soak/offered-load.js PORT LISTING_PATH SECONDS clients COUNT
 *
 * `rate` sends that many a second over as many connections as it takes; `clients` sends the next request of each client
 * when the last one is answered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { makeDocument, readReceipt, sha256, upload } from "./documents.js";

const MAX_CONNECTIONS = 400;
const TICK_MS = 5;
const DOCUMENT_BYTES = 8000;

const [port, listing, seconds, manner, amount] = [
  Number(process.argv[2]),
  process.argv[3],
  Number(process.argv[4]),
  process.argv[5],
  Number(process.argv[6]),
];

const idle = [];
const waiting = new Set();
const statuses = {};
const receipts = [];
const faults = [];
let connections = 0;
let notOffered = 0;
let serial = 0;

const began = performance.now();
const end = began + seconds * 1000;
await (manner === "rate" ? offerAtRate(amount) : Promise.all(Array.from({ length: amount }, () => offerInTurn())));
await Promise.all(waiting);
const elapsed = (performance.now() - began) / 1000;
for (const client of idle) client.close();
const { user, system } = process.cpuUsage();
const offered = serial;
const processorShare = (user + system) / 1e6 / elapsed;
console.log(
  JSON.stringify({
    offered,
    notOffered,
    connections,
    elapsed,
    statuses,
    receipts,
    faults: faults.slice(0, 5),
    processorShare,
  }),
);

async function offerAtRate(rate) {
  let sent = 0;
  for (let now = began; now < end; now = performance.now()) {
    const due = Math.floor(((now - began) / 1000) * rate);
    for (; sent < due; sent += 1) {
      if (idle.length === 0 && connections >= MAX_CONNECTIONS) {
        notOffered += 1;
        continue;
      }
      const exchange = offer().finally(() => waiting.delete(exchange));
      waiting.add(exchange);
    }
    await sleep(TICK_MS);
  }
}

async function offerInTurn() {
  while (performance.now() < end) await offer();
}

async function offer() {
  const number = serial++;
  try {
    let client = idle.pop();
    if (client === undefined) {
      connections += 1;
      client = await Client.connect(port);
    }
    const document = number % 2 === 0 ? undefined : makeDocument(`load ${process.pid} ${number}`, DOCUMENT_BYTES);
    const answer = await (document ? upload(client, document) : client.exchange({ path: listing }));
    if (answer.closes) connections -= 1;
    else idle.push(client);
    judge(answer, document);
  } catch (error) {
    connections -= 1;
    faults.push(error.message);
  }
}

function judge(answer, document) {
  statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
  if (answer.status === 503) {
    if (!/^\d+$/.test(answer.fields.get("retry-after"))) faults.push("503 without Retry-After");
  } else if (document === undefined) {
    if (answer.status !== 200) faults.push(`listing: ${answer.status}`);
  } else {
    const receipt = readReceipt(answer);
    if (receipt.sha256 !== sha256(document)) faults.push(`receipt for another document: ${receipt.name}`);
    receipts.push(receipt);
  }
}
