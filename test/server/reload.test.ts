/**
 * Reloads at random moments while clients ask without a pause: not one request fails, and nothing is left behind.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { sha256 } from "../support/download.ts";
import { type Errand, fetching, listing, uploading } from "../support/errands.ts";
import { LiveServer } from "../support/live-server.ts";
import { descriptorsOf, isRunning, residentBytes } from "../support/process-facts.ts";
import { rounds, timeFor } from "../support/rounds.ts";
import { randomFor } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { ask, type Manner, Visitors } from "../support/visitors.ts";

const HANGUPS = rounds(4, 200);
/** One of so many comes with a configuration that cannot be taken up. */
const BROKEN_EVERY = Math.max(4, Math.floor(HANGUPS / 10));
const PROCESSES = 2;
/** Between two hangups, at most. */
const LONGEST_PAUSE_MS = 700;

const random = randomFor("reload");
const SMALL = Buffer.from("small");
const MIDDLE = pattern(40_000);
/** More than the kernel takes at once. */
const LARGE = pattern(6_000_000);
const LISTED = ["one.txt", "two.txt", "three.txt"];

const MANNERS: readonly Manner[] = [
  { kind: "keeping" },
  { kind: "keeping" },
  { kind: "pausing", longest: 40 },
  { kind: "pausing", longest: 400 },
  { kind: "fresh" },
  { kind: "fresh" },
];

function pattern(length: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: length / 4 }, (_, index) => index * 2654435761).buffer);
}

function errandOf(stored: Map<string, string>): (visitor: number, turn: number) => Errand {
  const fixed = [
    fetching("/small.txt", SMALL),
    fetching("/middle.bin", MIDDLE),
    listing("/listed/", LISTED),
    fetching("/small.txt", SMALL),
    fetching("/large.bin", LARGE),
  ];
  return (visitor, turn) => {
    const choice = (visitor + turn) % (fixed.length + 1);
    return fixed[choice] ?? uploading(30_000, (path, hash) => stored.set(path, hash));
  };
}

async function startServer(t: TestContext, ...flags: readonly string[]): Promise<LiveServer> {
  const listed = Object.fromEntries(LISTED.map((name) => [`htdocs/listed/${name}`, name]));
  const server = await LiveServer.start(t, {
    files: { "htdocs/small.txt": SMALL.toString(), ...listed },
    flags: ["--processes", String(PROCESSES), "--queue", "200", ...flags],
  });
  writeFileSync(`${server.top}/htdocs/middle.bin`, MIDDLE);
  writeFileSync(`${server.top}/htdocs/large.bin`, LARGE);
  return server;
}

/** By kind, so that a difference can be read. */
function descriptorCounts(pid: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const target of descriptorsOf(pid)) {
    // The state file, while it is being written anew.
    if (target.endsWith(".state.new")) continue;
    const kind = target.replace(/\[\d+\]$/, "");
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).toSorted());
}

/** Of the primary and of workers that have served nobody yet. */
function quietCounts(server: LiveServer, workers: readonly number[]) {
  return [server.pid, ...workers].map(descriptorCounts);
}

/** What a process that has just exited had is closed a moment later: waits until half a second brings no change. */
async function steadyCounts(server: LiveServer, workers: readonly number[]) {
  let counts = quietCounts(server, workers);
  let since = performance.now();
  return until("the descriptors stay as many", () => {
    const now = quietCounts(server, workers);
    if (JSON.stringify(now) !== JSON.stringify(counts)) {
      counts = now;
      since = performance.now();
    }
    return performance.now() - since > 500 ? counts : undefined;
  });
}

/** A new generation, of which nobody has asked anything. */
async function reloadQuietly(server: LiveServer): Promise<readonly number[]> {
  const { hangups } = server.state;
  server.command.signal("SIGHUP");
  await until("the last reload has come to its end", () => (server.state.reload?.covers ?? 0) > hangups);
  return server.settled(PROCESSES);
}

// ---- configurations that cannot be taken up

interface Broken {
  readonly name: string;
  /** @returns what undoes it beside the configuration file, if there is such */
  readonly spoil: (server: LiveServer, t: TestContext) => void | Promise<void>;
  /** In the event log, and on the standard error of `comanche reload`. */
  readonly named: RegExp;
}

const BROKEN: readonly Broken[] = [
  {
    name: "an unknown key",
    spoil: (server) => server.configure({ indexfile: "x.html" }),
    named: /comanche\.conf:\d+: .*indexfile\b.*did you mean indexfiles\?/,
  },
  {
    name: "a bad value",
    spoil: (server) => server.configure({ timeout: "soon" }),
    named: /comanche\.conf:\d+: .*timeout = soon: expected /,
  },
  {
    name: "a junk line",
    spoil: (server) => server.configure({}, "!!\n"),
    named: /comanche\.conf:\d+: .*!!: expected /,
  },
  {
    name: "an unknown section",
    spoil: (server) => server.configure({}, "[Mian]\n"),
    named: /comanche\.conf:\d+: .*Mian/,
  },
  {
    name: "no configuration file",
    spoil: (server) => rmSync(`${server.top}/comanche.conf`),
    named: /comanche\.conf: no such file/,
  },
  {
    name: "a directory for a configuration file",
    spoil: (server) => {
      rmSync(`${server.top}/comanche.conf`);
      mkdirSync(`${server.top}/comanche.conf`);
    },
    named: /comanche\.conf: cannot be read: it is a folder/,
  },
  {
    name: "a document root that is not there",
    spoil: (server) => server.configure({ docbase: "gone" }),
    named: /cannot serve docbase \S+\/gone: there is no such directory/,
  },
  {
    name: "a virtual host whose document root is not there",
    spoil: (server) => server.configure({}, "[Virtual host www.example.com]\ndocbase = gone\n"),
    named: /docbase \S+\/gone: there is no such directory/,
  },
  {
    name: "a port that somebody else has",
    spoil: async (server, t) => server.configure({ port: String(await takePort(t)) }),
    named: /cannot listen on 127\.0\.0\.1:\d+: the port is in use/,
  },
  {
    name: "an address of another machine",
    spoil: (server) => server.configure({ address: "203.0.113.1" }),
    named: /cannot listen on 203\.0\.113\.1:\d+: this machine does not have that address/,
  },
  {
    name: "a user that the system does not know",
    spoil: (server) => server.configure({ user: "nobody-of-that-name" }),
    named: /user = nobody-of-that-name: no user of that name exists/,
  },
  {
    name: "an access log in no folder",
    spoil: (server) => server.configure({ logfile: "gone/access" }),
    named: /access log: cannot write \S+\/gone\/access/,
  },
  {
    name: "another PID file",
    spoil: (server) => server.configure({ pidfile: "other" }),
    named: /pidfile has changed/,
  },
];

function repair(server: LiveServer): void {
  rmSync(`${server.top}/comanche.conf`, { recursive: true, force: true });
  server.configure({});
}

async function takePort(t: TestContext): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  t.after(() => holder.close());
  const address = holder.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test(`${HANGUPS} hangups at random moments under load: no request fails, and nothing is left behind`, {
  ...timeFor(180_000, 900_000),
}, async (t) => {
  const server = await startServer(t);
  const before = await steadyCounts(server, await reloadQuietly(server));
  const stored = new Map<string, string>();
  const visitors = new Visitors({ port: server.port, manners: MANNERS, errand: errandOf(stored) });
  t.after(() => visitors.stop());
  const seen = new Set(server.workers);
  let highest = 0;

  for (let round = 1; round <= HANGUPS; round += 1) {
    await setTimeout(random() * LONGEST_PAUSE_MS);
    const broken = round % BROKEN_EVERY === 0 ? BROKEN[(round / BROKEN_EVERY - 1) % BROKEN.length] : undefined;
    await broken?.spoil(server, t);
    const asked = server.state.hangups;
    server.command.signal("SIGHUP");
    // Every third comes while the one before is being worked on.
    if (broken === undefined && round % 3 === 2) continue;
    await until("the reload has come to its end", () => (server.state.reload?.covers ?? 0) > asked && server.state, {
      facts: () => `${JSON.stringify(server.state)}\n${server.events.slice(-2000)}`,
    });
    assert.equal(server.state.reload?.outcome, broken === undefined ? "done" : "failed", server.state.reload?.message);
    if (broken !== undefined) {
      assert.match(server.state.reload?.message ?? "", broken.named);
      repair(server);
    }
    for (const pid of server.workers) seen.add(pid);
    highest = Math.max(highest, residentBytes(server.pid));
  }
  await until("all hangups are answered", () => server.state.phase === "serving");
  await visitors.stop();
  assert.deepEqual(visitors.complaints, []);
  for (const [path, hash] of stored) assert.equal(sha256(readFileSync(`${server.top}/htdocs${path}`)), hash, path);
  assert.ok(visitors.closedAfterWord > 0, "no kept connection met a reload");
  t.diagnostic(
    `${visitors.answered} requests on ${visitors.connections} connections, ${visitors.closedAfterWord} kept ones handed over, ` +
      `${server.state.generation} generations, primary at most ${Math.round(highest / 2 ** 20)} MiB`,
  );

  const workers = await reloadQuietly(server);
  // What has just exited is let go of a moment later.
  const isSame = () => JSON.stringify(quietCounts(server, workers)) === JSON.stringify(before);
  await until("the descriptors are as many as before", isSame, { patience: 5000 }).catch(() => undefined);
  assert.deepEqual(quietCounts(server, workers), before);
  assert.deepEqual(
    [...seen].filter((pid) => isRunning(pid) && !workers.includes(pid)),
    [],
    "workers of earlier generations still run",
  );
  assert.equal((await server.stop()).status, 0);
});

test(`${BROKEN.length} configurations that cannot be taken up: the server serves on, and each fault is named`, {
  timeout: 120_000,
}, async (t) => {
  const server = await startServer(t);
  const before = [server.workers, [server.pid, ...server.workers].map(descriptorCounts)];
  const visitors = new Visitors({
    port: server.port,
    manners: [{ kind: "pausing", longest: 20 }, { kind: "fresh" }],
    errand: () => fetching("/small.txt", SMALL),
  });
  t.after(() => visitors.stop());
  for (const { name, spoil, named } of BROKEN) {
    await t.test(name, async (t) => {
      const told = server.events.length;
      const { generation } = server.state;
      await spoil(server, t);
      const { status, standardOutput, standardError } = await server.run(t, "reload");
      repair(server);
      assert.deepEqual([status, standardOutput], [1, ""], standardError);
      assert.match(standardError, named);
      const news = server.events.slice(told);
      assert.match(news, named);
      assert.doesNotMatch(news + standardError, /^ +at /m);
      assert.equal(server.state.phase, "serving");
      assert.equal(server.state.generation, generation);
      assert.equal(await ask(server.port, fetching("/small.txt", SMALL)).then(({ status }) => status), 200);
    });
  }
  await visitors.stop();
  assert.deepEqual(visitors.complaints, []);
  // The last connections linger for a moment.
  const now = () => [server.workers, [server.pid, ...server.workers].map(descriptorCounts)];
  const isSame = () => JSON.stringify(now()) === JSON.stringify(before);
  await until("the descriptors are as many as before", isSame, { patience: 10_000 }).catch(() => undefined);
  assert.deepEqual(now(), before);

  const { status, standardOutput, standardError } = await server.run(t, "reload");
  assert.deepEqual([status, standardError], [0, ""]);
  assert.match(standardOutput, /^reloaded \(PID \d+\): generation 2 serves/);
  assert.equal((await server.stop()).status, 0);
});
