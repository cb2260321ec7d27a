/**
 * Runs one row: interleaved rounds, in each of which every contender has one turn, in an order drawn anew.
 *
 * So a contender is never measured beside another one's minute of luck, and no one always follows the same neighbour. While
 * one has its turn the others are idle, if they run at all.
 */
import { randomInt } from "node:crypto";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { orderOf } from "./contenders.js";
import { DOCUMENTS } from "./documents.js";
import { descriptorLimit } from "./machine.js";
import { MEASUREMENTS } from "./measurements.js";
import { spawnServer, startServer, stopServer } from "./server-process.js";

/** The first requests meet code that is not compiled yet and files that are not in memory. */
export const WARM_SECONDS = 1;
/** Longer than any run: nobody closes a connection that is still wanted. */
const IDLE_SECONDS = 3600;
/** Serves the files behind those that only end TLS. */
const BACKEND = "comanche";

/**
 * @param bench  `contenders`, `cores`, `docs` and `folder`, the first `port`, `rounds`, `seconds`, `say`
 * @returns for each entry `{ label, kind: "counted", rounds, turns }`, with its figures and its place in each round, or
 *          `{ label, kind: "void", why }`
 */
export async function runRow(row, entries, bench) {
  const measurement = MEASUREMENTS[row.measure];
  const load = {
    ...row.load,
    isTls: row.tls !== undefined,
    documents: row.load.documents.flatMap((name) => DOCUMENTS[name]),
  };
  const backend = row.backend === undefined ? undefined : await startBackend(row, bench, bench.port + entries.length);
  try {
    const contestants = entries.map((entry, index) => makeContestant(row, entry, bench, index, backend));
    const rounds = Math.min(bench.rounds, row.mostRounds ?? bench.rounds);
    const context = { measurement, load, bench, rounds };
    await (measurement.servers === "kept" ? runKept(contestants, context) : runFresh(contestants, context));
    return contestants.map(({ label, why, results, turns }) =>
      why === undefined ? { label, kind: "counted", rounds: results, turns } : { label, kind: "void", why },
    );
  } finally {
    if (backend !== undefined) await stopServer(backend);
  }
}

/** One for all contestants of the row, without TLS. */
function startBackend(row, bench, port) {
  const folder = join(bench.folder, `${row.name}-backend`);
  const plan = planFor({ ...row, tls: undefined }, { contender: BACKEND, variant: {} }, { bench, folder, port });
  const cores = row.backend === "beside the client" ? { ...bench.cores, server: bench.cores.client } : bench.cores;
  return startServer({ label: "the backend", plan, folder, port, cores });
}

function makeContestant(row, entry, bench, index, backend) {
  const folder = join(bench.folder, `${row.name}-${index}`);
  const port = bench.port + index;
  const log = row.hasLog ? join(folder, "access.log") : undefined;
  const plan = planFor(row, entry, { bench, folder, port, log, backendPort: backend?.port });
  const neighbour = row.backend === "beside the server" ? backend.pid : undefined;
  const order = { label: entry.label, plan, folder, port, cores: bench.cores, neighbour };
  return { label: entry.label, order, log, results: [], turns: [], why: undefined };
}

function planFor(row, entry, { bench, ...places }) {
  const { contender, found } = bench.contenders.get(entry.contender);
  const certificate = row.tls && fileURLToPath(new URL(`../../test/keys/${row.tls}.pem`, import.meta.url));
  const surroundings = { program: found.path, docs: bench.docs, certificate, isRoot: process.getuid?.() === 0 };
  const { connections } = row.load;
  const limits = { connections, descriptors: descriptorLimit(), idleSeconds: IDLE_SECONDS };
  return contender.plan({ ...places, ...surroundings, ...limits, ...orderOf(row, entry) });
}

async function runKept(contestants, { measurement, load, bench, rounds }) {
  try {
    for (const one of contestants) {
      one.server = await startServer(one.order);
      const prepared = await measurement.prepare({ server: one.server, load });
      if (prepared.kind === "wrong") one.why = prepared.why;
      else one.load = prepared.load;
    }
    const turn = (one, seconds) => measurement.measure({ ...one, cores: bench.cores, seconds });
    for (const one of contestants.filter(isIn)) {
      voidUnlessCounted(one, await turn(one, measurement.warmSeconds ?? WARM_SECONDS));
    }
    await takeTurns(contestants, rounds, bench, async (one) => {
      const result = await turn(one, bench.seconds);
      // A log of millions of lines would be written to the disk while others are measured.
      if (one.log !== undefined) truncateSync(one.log);
      return result;
    });
  } finally {
    for (const { server } of contestants) if (server !== undefined) await stopServer(server);
  }
}

async function runFresh(contestants, { measurement, load, bench, rounds }) {
  await takeTurns(contestants, rounds, bench, async ({ order }) => {
    let server;
    const starting = (how) => async () => {
      server = await how(order);
      return server;
    };
    try {
      const ways = { spawn: starting(spawnServer), start: starting(startServer) };
      return await measurement.measure({ ...ways, load, cores: bench.cores, seconds: bench.seconds });
    } finally {
      if (server !== undefined) await stopServer(server);
    }
  });
}

async function takeTurns(contestants, rounds, { say }, turn) {
  for (let round = 1; round <= rounds; round += 1) {
    for (const [place, one] of shuffled(contestants.filter(isIn)).entries()) {
      say(`round ${round} of ${rounds}: ${one.label}`);
      const result = await turn(one);
      voidUnlessCounted(one, result);
      if (result.kind !== "counted") continue;
      one.results.push(result.figures);
      one.turns.push(place + 1);
    }
  }
}

function isIn({ why }) {
  return why === undefined;
}

/** One bad run and the whole entry is void: the good ones before it may have been bad unnoticed. */
function voidUnlessCounted(one, result) {
  if (result.kind === "void") one.why = result.why;
}

function shuffled(values) {
  const left = [...values];
  return values.map(() => left.splice(randomInt(left.length), 1)[0]);
}
