/**
 * Comanche beside other web servers, on this machine: rows.js says what is measured, contenders.js who takes part.
 *
 *     npm run bench                                     all rows, all contenders that are installed
 *     npm run bench -- small large --rounds 8 --seconds 2 --only nginx,lighttpd
 *
 * Server and client run on different cores. Every answer is checked before it is measured. Results are written after each row, so
 * that a long run that is stopped leaves what it has found.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { killAllClients } from "./clients/client-process.js";
import { parseCommandLine, USAGE } from "./command-line.js";
import { findProgram } from "./contenders/program.js";
import { entriesOf, findContenders, RIVALS } from "./contenders.js";
import { moveTo, physicalCores, planCores } from "./cores.js";
import { writeDocuments } from "./documents.js";
import { describeMachine } from "./machine.js";
import { MEASUREMENTS } from "./measurements.js";
import { describeLimits } from "./report/limits.js";
import { formatRow } from "./report/table.js";
import { formatContenders, formatLimits, writeReport } from "./report/write-report.js";
import { chooseRows } from "./rows.js";
import { runRow, WARM_SECONDS } from "./run-row.js";
import { killAllServers, stopAllServers } from "./server-process.js";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const TOOLS = [
  ["wrk", "wrk"],
  ["taskset", "util-linux"],
];

const parsed = parseCommandLine(process.argv.slice(2));
if (parsed.kind === "faults") leave(2, parsed.faults);
const { settings } = parsed;
if (settings.help) leave(0, [USAGE]);
if (settings.list) leave(0, listing());

const absent = TOOLS.filter(([program]) => findProgram(program) === undefined);
if (absent.length > 0)
  leave(
    1,
    absent.map(([program, debian]) => `no program ${program}: install it (Debian: ${debian})`),
  );

const physical = physicalCores();
const folder = mkdtempSync(join(tmpdir(), "comanche-bench-"));
process.once("exit", () => {
  killAllClients();
  killAllServers();
  rmSync(folder, { recursive: true, force: true });
});
for (const [name, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.once(name, () => stopAllServers().finally(() => process.exit(status)));
}
try {
  await benchmark();
} catch ({ message }) {
  await stopAllServers();
  leave(1, [message]);
}

async function benchmark() {
  const { rows, rounds, seconds, only } = settings;
  const dist = resolve(ROOT, settings.dist);
  const earlier = settings.earlier === undefined ? undefined : resolve(settings.earlier);
  const contenders = findContenders({ root: ROOT, dist, earlier, only, rows });
  const plans = rows.map((row) => ({ row, ...entriesOf(row, contenders) }));
  // Servers that give up being root must reach the files.
  chmodSync(folder, 0o755);

  const facts = {
    date: new Date().toISOString(),
    words: process.argv.slice(2),
    rounds,
    seconds,
    machine: describeMachine(),
    contenders: [...contenders.values()].map(({ contender: { name }, found }) => ({ name, ...found })),
  };
  describeStart(facts, plans);
  const done = [];
  for (const { row, present, missing } of plans) {
    const cores = planCores(physical, row.processes ?? 1);
    moveTo(cores.client);
    // Only the files of this row: some servers list them all when they start.
    const docs = join(folder, `${row.name}-docs`);
    writeDocuments(docs, row.load.documents);
    const bench = { contenders, cores, docs, folder, port: settings.port, rounds, seconds, say };
    const results = await runRow(row, present, bench);
    rmSync(docs, { recursive: true });
    say("");
    done.push({ row, cores, results, missing });
    console.log(`\n${formatRow(done.at(-1)).trimEnd()}`);
    writeReport(resolve(settings.out), { ...facts, rows: done, limits: describeLimits(done, settings) });
  }
  console.log(["", ...formatLimits(describeLimits(done, settings))].join("\n"));
  console.log(`\ntable.txt, results.json, plot.svg and plot-tall.svg are in ${resolve(settings.out)}`);
}

function describeStart({ machine, contenders, rounds, seconds }, plans) {
  console.log(
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, Linux ${machine.kernel}, node ${machine.node}`,
  );
  console.log(formatContenders(contenders).join("\n"));
  const minutes = plans.reduce((sum, plan) => sum + estimateMinutes(plan, rounds, seconds), 0);
  console.log(`rows: ${plans.map(({ row }) => row.name).join(", ")}; about ${Math.ceil(minutes)} min`);
}

function estimateMinutes({ row, present }, rounds, seconds) {
  const { servers, turnSeconds, warmSeconds = WARM_SECONDS } = MEASUREMENTS[row.measure];
  const warming = servers === "kept" ? turnSeconds(warmSeconds) : 0;
  const turns = Math.min(rounds, row.mostRounds ?? rounds);
  return (present.length * (warming + turns * turnSeconds(seconds))) / 60;
}

/** What is being done, on a terminal only: in a file it would bury the results. */
function say(words) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${words}`);
}

function listing() {
  const rows = chooseRows([]).rows.map(({ name, title }) => `  ${name.padEnd(20)}  ${title}`);
  return ["rows", ...rows, "rivals", `  ${RIVALS.map(({ name }) => name).join(", ")}`];
}

function leave(status, lines) {
  for (const line of lines) (status === 0 ? console.log : console.error)(line);
  process.exit(status);
}
