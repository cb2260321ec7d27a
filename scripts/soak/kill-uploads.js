/**
 * kill -9 at a random moment while clients upload, again and again on the same upload directory.
 *
 *     node scripts/soak/kill-uploads.js [rounds]    500 by default
 *
 * After each restart: no name in the upload directory but whole uploads, each of them something that was really sent;
 * every acknowledged upload of all rounds there with its acknowledged hash, and to be fetched over HTTP. While clients
 * upload, another one looks at the directory over HTTP and must never see a part of a file.
 *
 * Where the server is several processes, rounds take turns in whom they kill: all, the first, or one of the others.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { makeDocument, readReceipt, readUploads, sha256, upload } from "./documents.js";
import { gone, kill, Server } from "./server.js";
import { runTrial } from "./trial.js";

const CLIENTS = 8;
/** A round ends at a random moment: after so many acknowledgements at most, but not after so long a time. */
const MOST_ACKNOWLEDGED = 30;
const LONGEST_ROUND_MS = 4000;
/** And a moment more, so that acknowledgements are not what deaths follow on. */
const MOMENT_MS = 15;
const KINDS_OF_DEATH = ["everything", "the first", "another"];

async function run(trial) {
  const { count: rounds = 500, htdocs, check, figure } = trial;
  const ledger = new Ledger(join(htdocs, "uploads"));
  // With dotfiles, so that the names of unfinished uploads are hidden by nothing but the rule about them.
  const start = () => Server.start(trial, { flags: ["--dotfiles"] });
  let server = await start();
  let round = 0;
  for (; round < rounds && ledger.faults.length === 0; round += 1) {
    await killDuringUploads(server, round, ledger);
    ledger.examineRemains();
    server = await start();
    ledger.examineAfterRestart();
    await ledger.examineOverHttp(server.port);
  }
  ledger.examineEverythingAgain();
  await server.stop();

  check(
    `${round} rounds: no partial file, no loss, no litter`,
    ledger.faults.length === 0,
    ledger.faults.slice(0, 5).join("; "),
  );
  const { acknowledged, sent, interrupted, unacknowledged, temporary, roundsWithTemporary, looks } = ledger;
  figure("uploads sent", `${sent.size}: ${acknowledged.size} acknowledged, ${interrupted} interrupted`);
  figure("stored whole, but killed before the answer", unacknowledged);
  figure("temporary files left by a kill", `${temporary}, in ${roundsWithTemporary} rounds; none after the restart`);
  figure("files looked at over HTTP while others uploaded", looks);
}

/** All that was sent, promised and found, over all rounds. */
class Ledger {
  faults = [];
  /** Hash of every document that was sent. */
  sent = new Set();
  /** Name to hash. */
  acknowledged = new Map();
  interrupted = 0;
  unacknowledged = 0;
  temporary = 0;
  roundsWithTemporary = 0;
  looks = 0;
  #directory;
  /** Name to what it was when its content was found to be right. */
  #proven = new Map();
  #fetched = new Set();
  #serial = 0;

  constructor(directory) {
    this.#directory = directory;
  }

  /** One of: small, of some packets, or large enough that most kills hit it while it is being sent. */
  nextDocument() {
    const serial = this.#serial++;
    const size = [300, 6000, 40_000, serial % 25 === 0 ? 2_000_000 : 20_000][serial % 4];
    const document = makeDocument(serial, size);
    this.sent.add(sha256(document));
    return document;
  }

  acknowledge({ name, sha256: hash }, document) {
    if (hash !== sha256(document)) this.faults.push(`receipt for another document: ${name}`);
    if (this.acknowledged.has(name)) this.faults.push(`acknowledged twice: ${name}`);
    this.acknowledged.set(name, hash);
  }

  /** What a client of the directory sees must be whole at any time. */
  look(name, content) {
    this.looks += 1;
    if (!this.sent.has(sha256(content))) this.faults.push(`visible in part: ${name}, ${content.length} bytes`);
  }

  /** Before the restart: temporary files there may be, but under a stored name only whole uploads. */
  examineRemains() {
    const { stored, others } = readUploads(this.#directory);
    this.temporary += others.length;
    if (others.length > 0) this.roundsWithTemporary += 1;
    for (const name of stored) this.#examine(name);
  }

  examineAfterRestart() {
    const { stored, others } = readUploads(this.#directory);
    for (const name of others) this.faults.push(`litter after the restart: ${name}`);
    for (const name of stored) this.#examine(name);
    const names = new Set(stored);
    for (const name of this.acknowledged.keys()) if (!names.has(name)) this.faults.push(`lost: ${name}`);
    this.unacknowledged = stored.length - this.acknowledged.size;
  }

  examineEverythingAgain() {
    this.#proven.clear();
    this.examineAfterRestart();
  }

  /** The listing shows exactly the files there are, and those it did not show before are fetched. */
  async examineOverHttp(port) {
    const client = await Client.connect(port);
    const shown = await readListing(client);
    const { stored } = readUploads(this.#directory);
    if (shown.toSorted().join() !== stored.toSorted().join()) this.faults.push("the listing shows other names");
    for (const name of shown.filter((name) => !this.#fetched.has(name)).slice(0, 200)) {
      const { status, body } = await client.exchange({ path: `/uploads/${name}` });
      const wanted = this.acknowledged.get(name);
      if (status !== 200 || (wanted === undefined ? !this.sent.has(sha256(body)) : sha256(body) !== wanted)) {
        this.faults.push(`fetched ${name}: ${status}, ${body.length} bytes, not what was uploaded`);
      }
      this.#fetched.add(name);
    }
    client.close();
  }

  /** A file that no clock, size or inode says has changed is not read again, until the very end. */
  #examine(name) {
    const path = join(this.#directory, name);
    const { ino, size, ctimeMs } = statSync(path);
    const state = `${ino} ${size} ${ctimeMs}`;
    if (this.#proven.get(name) === state) return;
    const content = readFileSync(path);
    const hash = sha256(content);
    const wanted = this.acknowledged.get(name);
    if (!this.sent.has(hash)) this.faults.push(`not something that was sent: ${name}, ${content.length} bytes`);
    else if (wanted !== undefined && wanted !== hash) this.faults.push(`not what was acknowledged: ${name}`);
    else if (JSON.parse(content).rows.at(-1).last !== null) this.faults.push(`not whole: ${name}`);
    this.#proven.set(name, state);
  }
}

async function killDuringUploads(server, round, ledger) {
  const processes = server.processes();
  const clients = Array.from({ length: CLIENTS }, (_, index) => uploadUntilDeath(server.port, index, ledger));
  const watching = watchUntilDeath(server.port, ledger);
  const last = ledger.acknowledged.size + Math.floor(Math.random() * MOST_ACKNOWLEDGED);
  const began = performance.now();
  while (ledger.acknowledged.size < last && performance.now() < began + LONGEST_ROUND_MS) await sleep(1);
  await sleep(Math.random() * MOMENT_MS);
  const victims = chooseVictims(processes, KINDS_OF_DEATH[round % KINDS_OF_DEATH.length]);
  kill(victims);
  await gone(victims);
  // Who survives is ended too, so that the next round starts afresh.
  if (server.isRunning) await server.stop();
  await gone(processes.filter((pid) => !victims.includes(pid)));
  await server.ended;
  await reaped(processes);
  await Promise.all([...clients, watching]);
}

/**
 * A worker whose primary was killed too stays a zombie until process 1 reaps it, on some machines for two seconds. Its number
 * is taken until then, so a server that starts meanwhile leaves its temporary files alone for ten seconds.
 */
async function reaped(pids) {
  while (pids.some(hasNumber)) await sleep(5);
}

function hasNumber(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function chooseVictims([first, ...others], death) {
  if (death === "everything" || others.length === 0) return [first, ...others];
  return death === "the first" ? [first] : [others[Math.floor(Math.random() * others.length)]];
}

async function uploadUntilDeath(port, index, ledger) {
  let client;
  let document;
  try {
    client = await Client.connect(port);
    for (let turn = index; ; turn += 1) {
      document = ledger.nextDocument();
      const answer = await upload(client, document, { chunked: turn % 3 === 0 });
      if (answer.status === 201) ledger.acknowledge(readReceipt(answer), document);
      else if (answer.status !== 503) ledger.faults.push(`upload answered ${answer.status}`);
      document = undefined;
      if (answer.closes) client = await Client.connect(port);
    }
  } catch (error) {
    if (!isDeath(error)) ledger.faults.push(error.message);
    if (document !== undefined) ledger.interrupted += 1;
  } finally {
    client?.close();
  }
}

async function watchUntilDeath(port, ledger) {
  let client;
  try {
    client = await Client.connect(port);
    const known = new Set(await readListing(client));
    for (;;) {
      for (const name of await readListing(client)) {
        if (known.has(name)) continue;
        known.add(name);
        const { status, body } = await client.exchange({ path: `/uploads/${name}` });
        if (status === 200) ledger.look(name, body);
        else ledger.faults.push(`listed, but ${status}: ${name}`);
      }
    }
  } catch (error) {
    if (!isDeath(error)) ledger.faults.push(error.message);
  } finally {
    client?.close();
  }
}

/** What a client sees of a server that is killed. */
function isDeath({ message, code }) {
  return (
    code === "ECONNREFUSED" || code === "ECONNRESET" || /(closed|ECONNRESET|EPIPE) before the answer/.test(message)
  );
}

async function readListing(client) {
  const { status, body } = await client.exchange({ path: "/uploads/", fields: { Accept: "application/json" } });
  // The first upload makes the directory.
  if (status === 404) return [];
  if (status !== 200) throw new Error(`the listing was answered ${status}`);
  return JSON.parse(body).entries.map(({ name }) => name);
}

await runTrial("kill -9 during uploads", 1500, run);
