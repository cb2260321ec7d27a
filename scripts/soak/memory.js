/**
 * Memory under large uploads: 64 JSON documents of 9 MiB at once.
 *
 *     node scripts/soak/memory.js [uploads]         64 by default
 *
 * All of them are sent but for the last byte before any of them is finished, so that whatever the server keeps of an
 * upload it keeps for all of them together; then all of them end at once.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { compareWithReceipts, makeDocument, readReceipt } from "./documents.js";
import { Server } from "./server.js";
import { runTrial, tally } from "./trial.js";

const DOCUMENT_BYTES = 9 * 2 ** 20;
const PIECE_BYTES = 64 * 1024;
const MAX_RESIDENT_MIB = 250;
/** For half a gigabyte that is written, flushed and read again on a busy machine. */
const PATIENCE_MS = 120_000;

async function run(trial) {
  const { count = 64, htdocs, check, figure } = trial;
  // Room for all of them: this is about memory, not about refusal.
  const server = await Server.start(trial, { flags: ["--queue", String(count)] });
  await sleep(1000);
  figure("resident at rest", inMebibytes(server.memory().resident));

  const samples = [];
  const sampling = setInterval(() => samples.push(server.memory().resident), 20);
  const began = performance.now();
  let whenAllSent = 0;
  const barrier = new Barrier(count, () => {
    whenAllSent = server.memory().resident;
  });
  const clients = await Promise.all(Array.from({ length: count }, () => Client.connect(server.port)));
  const answers = await Promise.all(clients.map((client, index) => uploadTogether(client, index, barrier)));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(sampling);
  for (const client of clients) client.close();

  const statuses = tally(answers.map(({ status }) => status));
  check(
    `all ${count} are stored`,
    answers.every(({ status }) => status === 201),
    `${statuses} in ${seconds.toFixed(1)} s`,
  );
  const receipts = answers.filter(({ status }) => status === 201).map(readReceipt);
  const faults = compareWithReceipts(join(htdocs, "uploads"), receipts);
  check("byte for byte", faults.length === 0, faults[0]);
  const { highest } = server.memory();
  figure("resident when all were sent but for a byte", inMebibytes(whenAllSent));
  figure("highest sample", inMebibytes(Math.max(...samples)));
  check(`never above ${MAX_RESIDENT_MIB} MiB resident`, highest < MAX_RESIDENT_MIB, inMebibytes(highest));
  await sleep(5000);
  figure("resident five seconds later", inMebibytes(server.memory().resident));
  const { status } = await server.stop();
  check("the server stops with 0", status === 0, status);
}

/** Everyone waits until everyone has come. */
class Barrier {
  #missing;
  #onOpen;
  #open;
  #opened = new Promise((resolve) => {
    this.#open = resolve;
  });

  constructor(count, onOpen) {
    this.#missing = count;
    this.#onOpen = onOpen;
  }

  arrive() {
    this.#missing -= 1;
    if (this.#missing === 0) {
      this.#onOpen();
      this.#open();
    }
    return this.#opened;
  }
}

async function uploadTogether(client, index, barrier) {
  const document = makeDocument(`document ${index}`, DOCUMENT_BYTES);
  return await client.exchange({
    method: "POST",
    path: "/upload",
    fields: { "Content-Type": "application/json" },
    body: withLastByteHeldBack(document, barrier),
    length: document.length,
    chunked: index % 4 === 0,
    patience: PATIENCE_MS,
  });
}

async function* withLastByteHeldBack(document, barrier) {
  const last = document.length - 1;
  for (let start = 0; start < last; start += PIECE_BYTES)
    yield document.subarray(start, Math.min(last, start + PIECE_BYTES));
  await barrier.arrive();
  yield document.subarray(last);
}

function inMebibytes(number) {
  return `${number.toFixed(0)} MiB`;
}

await runTrial("memory: concurrent uploads of 9 MiB", 180, run);
