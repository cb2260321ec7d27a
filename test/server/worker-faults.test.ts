/**
 * Workers that cannot start, or die as soon as they have: a start fails and says why, a server that runs serves on with
 * whoever is left and does not wear itself out.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { scriptPath } from "../support/child-script.ts";
import { ComancheCommand } from "../support/comanche-command.ts";
import { fetching } from "../support/errands.ts";
import { makeTree } from "../support/file-tree.ts";
import { formatConfiguration, LiveServer } from "../support/live-server.ts";
import { isRunning, processorTime } from "../support/process-facts.ts";
import { until } from "../support/until.ts";
import { Visitors } from "../support/visitors.ts";

const PROCESSES = 2;
const SMALL = Buffer.from("small");
const BOUNDED = { timeout: 180_000 };

function environmentOf(top: AbsolutePath, fault: string, options = ""): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${scriptPath("faulty-worker")} ${options}`,
    FAULTY_WORKER: fault,
    FAULTY_FILE: `${top}/mark`,
  };
}

function makeHome(t: TestContext): AbsolutePath {
  const configuration = formatConfiguration({ processes: String(PROCESSES) });
  return makeTree(t, { "htdocs/small.txt": "small", "comanche.conf": configuration });
}

// ---- at the start

const startFaults: [fault: string, want: RegExp][] = [
  ["throws before it is loaded", /a worker process ended with status 1 before it was ready: .*a fault on purpose/s],
  ["exits", /a worker process ended with status 7 before it was ready$/m],
  ["is killed", /a worker process was ended by SIGKILL before it was ready$/m],
];
for (const mode of ["-d", "--daemon"]) {
  for (const [fault, want] of startFaults) {
    test(`${mode}: a worker that ${fault}: the start fails, and says so`, BOUNDED, async (t) => {
      const top = makeHome(t);
      writeFileSync(`${top}/mark`, "");
      const environment = environmentOf(top, fault);
      const command = new ComancheCommand([mode, "-c", "comanche.conf"], { cwd: top, environment });
      t.after(() => command.kill());
      const { status, standardOutput, standardError } = await command.end;
      assert.deepEqual([status, standardOutput], [1, ""], standardError);
      assert.match(standardError, /^comanche: /m);
      assert.match(standardError, want);
      assert.doesNotMatch(standardError, /starting another/);
      assert.doesNotMatch(standardError, /unhandled|src\/primary\/(primary|generation)/);
      assert.throws(() => readFileSync(`${top}/pid`), "no PID file is left");
    });
  }
}

// ---- while it serves

const laterFaults: [fault: string, options: string, want: RegExp][] = [
  ["exits", "", /warning: worker process \d+ ended with status 7: starting another in [\d.]+ s$/m],
  ["throws when it serves", "", /a worker process stops after an internal error\n +Error: a fault on purpose/],
  ["runs out of memory", "--max-old-space-size=60", /warning: worker process \d+ ran out of memory: starting another/],
];
/** For so long at least, and until two were started; more than so many in that time, or for so much of it, is no rest. */
const LOOK_MS = 3000;
const MAX_STARTS = 12;
const MAX_SHARE = 0.5;

for (const [fault, options, want] of laterFaults) {
  test(
    `a worker that ${fault}, and each of its successors: the others serve on, and the primary has its rest`,
    BOUNDED,
    async (t) => {
      const top = makeHome(t);
      const server = await LiveServer.startIn(t, top, { environment: environmentOf(top, fault, options) });
      const [victim = 0, other = 0] = server.workers;
      const visitors = new Visitors({
        port: server.port,
        manners: [{ kind: "pausing", longest: 20 }],
        errand: () => fetching("/small.txt", SMALL),
      });
      t.after(() => visitors.stop());

      writeFileSync(`${top}/mark`, "");
      process.kill(victim, "SIGKILL");
      const before = processorTime(server.pid);
      const told = server.events.length;
      const began = performance.now();
      await setTimeout(LOOK_MS);
      const countStarts = () => server.events.slice(told).match(/starting another/g)?.length ?? 0;
      await until(
        "two were started, and the first has ended",
        () => countStarts() >= 2 && want.test(server.events.slice(told)),
      );
      const looked = performance.now() - began;
      const used = processorTime(server.pid) - before;
      const news = server.events.slice(told);
      const starts = countStarts();
      t.diagnostic(
        `${starts} started in ${looked.toFixed(0)} ms, ${used.toFixed(2)} s of the primary, ${news.length} bytes of events`,
      );
      assert.match(news, want);
      assert.ok(starts <= MAX_STARTS * (looked / LOOK_MS), `${starts} were started in ${looked} ms`);
      assert.ok(used < (MAX_SHARE * looked) / 1000, `the primary took ${used} s in ${looked} ms`);
      assert.ok(isRunning(other), "the other one lives on");

      rmSync(`${top}/mark`);
      await until("a successor serves", () => /worker process \d+ serves\n$/.test(server.events), {
        facts: () => server.events.slice(-1000),
      });
      await server.settled(PROCESSES);
      const { answered } = visitors;
      await visitors.stop();
      // Only what a worker was killed over may have failed.
      assert.ok(visitors.faults.length <= starts + 1, visitors.complaints.join("\n"));
      assert.ok(answered > 0);
      assert.equal((await server.stop()).status, 0);
    },
  );
}

test("a reload whose workers cannot start: nothing changes", BOUNDED, async (t) => {
  const top = makeHome(t);
  const server = await LiveServer.startIn(t, top, { environment: environmentOf(top, "exits") });
  const { workers } = server;
  writeFileSync(`${top}/mark`, "");
  const { status, standardError } = await server.run(t, "reload");
  assert.equal(status, 1);
  assert.match(
    standardError,
    /keeping the old configuration: a worker process ended with status 7 before it was ready$/m,
  );
  assert.deepEqual(await server.settled(PROCESSES), workers);
  rmSync(`${top}/mark`);
  assert.equal((await server.run(t, "reload")).status, 0);
  assert.equal((await server.stop()).status, 0);
});

test("a reload whose workers never answer: TERM stops all the same", BOUNDED, async (t) => {
  const top = makeHome(t);
  const server = await LiveServer.startIn(t, top, { environment: environmentOf(top, "is silent") });
  const old = server.workers;
  writeFileSync(`${top}/mark`, "");
  server.command.signal("SIGHUP");
  await until("they are being started", () => server.workers.length === 2 * PROCESSES);
  const fresh = server.workers;
  const end = await server.stop();
  assert.equal(end.status, 0, end.standardError);
  assert.deepEqual([...old, ...fresh].filter(isRunning), []);
});
