/**
 * Processes of the server that are killed while clients ask without a pause: whoever is left serves on, and nothing stays
 * behind.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Download, sha256 } from "../support/download.ts";
import { fetching } from "../support/errands.ts";
import { LiveServer } from "../support/live-server.ts";
import { clientPortsOf, isRunning, residentBytes, statusOf } from "../support/process-facts.ts";
import { isSoak, rounds, timeFor } from "../support/rounds.ts";
import { randomFor } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { ask, type Manner, type VisitFault, Visitors } from "../support/visitors.ts";

const KILLS = rounds(4, 200);
const PROCESSES = 2;
/** Between two kills, at most. */
const LONGEST_PAUSE_MS = 300;
/** From the kill until the successor accepts; among other tests the machine is busy, and only the events tell. */
const MAX_GAP_MS = isSoak ? 1000 : Number.POSITIVE_INFINITY;
const MAX_RESIDENT = 80 * 2 ** 20;

const random = randomFor("kill-workers");
const SMALL = Buffer.from("small");
const LARGE = Buffer.alloc(3_000_000, "large");

const MANNERS: readonly Manner[] = [
  { kind: "keeping" },
  { kind: "keeping" },
  { kind: "keeping" },
  { kind: "pausing", longest: 50 },
  { kind: "fresh" },
  { kind: "fresh" },
];

async function startServer(t: TestContext, ...flags: readonly string[]): Promise<LiveServer> {
  const server = await LiveServer.start(t, { flags: ["--processes", String(PROCESSES), ...flags] });
  writeFileSync(`${server.top}/htdocs/large.bin`, LARGE);
  return server;
}

function visit(t: TestContext, { port }: LiveServer): Visitors {
  const errands = [fetching("/small.txt", SMALL), fetching("/large.bin", LARGE)] as const;
  const errand = (_: number, turn: number) => errands[turn % 5 === 4 ? 1 : 0];
  const visitors = new Visitors({ port, manners: MANNERS, errand });
  t.after(() => visitors.stop());
  return visitors;
}

/** @returns the client ports of the connections it had; it accepts none and answers none after they were looked at */
async function killFrozen(pid: number, port: number): Promise<ReadonlySet<number>> {
  process.kill(pid, "SIGSTOP");
  await until("the worker stands still", () => statusOf(pid).get("State")?.startsWith("T"));
  const ports = clientPortsOf(pid, port);
  process.kill(pid, "SIGKILL");
  return ports;
}

function countReplacements(server: LiveServer): number {
  return server.events.match(/worker process \d+ serves$/gm)?.length ?? 0;
}

test(`kill -9 of ${KILLS} workers under load: only what they had under way fails, and each is replaced at once`, {
  ...timeFor(180_000, 900_000),
}, async (t) => {
  const server = await startServer(t);
  const visitors = visit(t, server);
  const seen = new Set<number>();
  const excused = new Set<number>();
  const gaps: number[] = [];
  let highest = 0;

  for (let round = 0; round < KILLS; round += 1) {
    await setTimeout(random() * LONGEST_PAUSE_MS);
    const { workers } = server;
    assert.equal(workers.length, PROCESSES, `round ${round}`);
    const victim = workers[Math.floor(random() * workers.length)] ?? 0;
    for (const pid of workers) seen.add(pid);
    for (const port of await killFrozen(victim, server.port)) excused.add(port);
    const began = performance.now();
    await until("the successor serves", () => countReplacements(server) > round, {
      facts: () => server.events.slice(-1000),
    });
    gaps.push(performance.now() - began);
    highest = Math.max(highest, residentBytes(server.pid));
  }
  await visitors.stop();

  const isExcused = ({ clientPort }: VisitFault) => clientPort !== undefined && excused.has(clientPort);
  assert.deepEqual(
    visitors.faults.filter((fault) => !isExcused(fault)).slice(0, 5),
    [],
    "these had nothing to do with the workers that were killed",
  );
  const longest = Math.max(...gaps);
  t.diagnostic(
    `${visitors.answered} requests answered, ${visitors.faults.length} lost with their workers; full strength after ` +
      `${Math.round(longest)} ms at most, ${Math.round(gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 0)} ms as a rule; ` +
      `primary at most ${Math.round(highest / 2 ** 20)} MiB`,
  );
  assert.ok(longest < MAX_GAP_MS, `one was replaced after ${longest} ms: ${gaps.map(Math.round).join(", ")}`);
  assert.ok(highest < MAX_RESIDENT, `${highest} bytes resident`);
  assert.match(server.events, /worker process \d+ was ended by SIGKILL: starting another$/m);

  const workers = await server.settled(PROCESSES);
  assert.deepEqual(
    server.state.workers.map(({ pid }) => pid).toSorted(),
    workers.toSorted(),
    "the state file names the workers that there are",
  );
  assert.deepEqual(
    [...seen].filter((pid) => isRunning(pid) && !workers.includes(pid)),
    [],
  );
  assert.equal((await server.stop()).status, 0);
});

test("kill -9 of all workers at once: both are replaced", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  for (const pid of server.workers) process.kill(pid, "SIGKILL");
  // It waits in the queue of the socket, which the primary holds.
  const { status } = await ask(server.port, fetching("/small.txt", SMALL));
  assert.equal(status, 200);
  await until("both successors serve", () => countReplacements(server) === PROCESSES);
  await server.settled(PROCESSES);
  assert.equal((await server.stop()).status, 0);
});

test("kill -9 of the primary: workers finish what is under way and go, and a new start takes over", {
  timeout: 180_000,
}, async (t) => {
  const server = await startServer(t);
  server.makeLarge("huge.bin", 64 * 2 ** 20);
  const { workers, port } = server;
  const download = await Download.start({ port }, "/huge.bin");
  t.after(() => download.leave());
  await server.command.kill();

  // The port is free as soon as the workers have noticed: which is a start that succeeds.
  const flags = ["--processes", String(PROCESSES), "-p", String(port)];
  let attempts = 0;
  const successor = await (async () => {
    for (;;) {
      attempts += 1;
      try {
        return await LiveServer.startIn(t, server.top, { flags });
      } catch (error) {
        const text = error instanceof Error ? error.message : "";
        if (attempts === 10 || !/the port is in use/.test(text)) throw error;
      }
    }
  })();
  assert.equal(readFileSync(`${server.top}/pid`, "utf8"), `${successor.pid}\n`);
  assert.equal((await ask(port, fetching("/small.txt", SMALL))).status, 200);

  const { length, sha256: hash } = await download.finish();
  assert.deepEqual([length, hash], [64 * 2 ** 20, sha256(Buffer.alloc(64 * 2 ** 20))]);
  await until("the old workers have gone", () => !workers.some(isRunning), { patience: 5000 });
  assert.equal((await successor.stop()).status, 0);
  t.diagnostic(`started anew at attempt ${attempts}`);
});

const DEATHS = rounds(3, 100);

test(`kill -9 of the primary at ${DEATHS} random moments of a reload: no worker is left`, {
  ...timeFor(180_000, 400_000),
}, async (t) => {
  for (let round = 0; round < DEATHS; round += 1) {
    const server = await startServer(t);
    const seen = new Set(server.workers);
    const moment = performance.now() + random() * 500;
    server.command.signal("SIGHUP");
    while (performance.now() < moment) {
      for (const pid of server.workers) seen.add(pid);
      await setTimeout(1);
    }
    for (const pid of server.workers) seen.add(pid);
    await server.command.kill();
    await until("all workers have gone", () => ![...seen].some(isRunning), {
      patience: 10_000,
      facts: () => `${[...seen].filter(isRunning).map((pid) => statusOf(pid).get("Name"))} in round ${round}`,
    });
  }
});
