/**
 * What the worker processes of a whole server may do, as the kernel tells it of each of their threads and as code that has
 * got into them finds it; and that they do their work all the same.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { loadNative } from "../../src/system/native.ts";
import { scriptPath } from "../support/child-script.ts";
import { ordinaryUserCannotRun, ordinaryUserId } from "../support/comanche-command.ts";
import {
  ALLOWED,
  openPlaces,
  parseProbeLine,
  probeEnvironment,
  REFUSED,
  threadStatuses,
  UNSEEN,
} from "../support/confinement.ts";
import type { ProbeOrder, ProbeReport } from "../support/confinement-probe.ts";
import { sha256 } from "../support/download.ts";
import { fetching, listing, uploading } from "../support/errands.ts";
import { makeTree } from "../support/file-tree.ts";
import { formatConfiguration, type LiveOptions, LiveServer } from "../support/live-server.ts";
import { isRunning } from "../support/process-facts.ts";
import { onlyRoot } from "../support/root.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/visitors.ts";

const loaded = await loadNative();
const landlockVersion = loaded.kind === "native" ? loaded.native.landlockVersion() : 0;
const NO_SANDBOX = loaded.kind === "missing" ? loaded.why : landlockVersion < 6 ? "no Landlock of version 6" : false;

/** An account that every system has. */
const DAEMON = 1;
const PROCESSES = 2;
const WORKERS = 4;
/** Libuv's four, V8's, and the event loop. */
const LEAST_THREADS = 7;

interface Case {
  readonly name: string;
  readonly skip: string | false;
  readonly configuration: Readonly<Record<string, string>>;
  /** The user of the workers. */
  readonly uid: number;
  /** Who starts the server. */
  readonly userId?: number | undefined;
  readonly isChroot: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "started as root, with user and chroot",
    skip: onlyRoot || NO_SANDBOX,
    configuration: { docbase: "/htdocs", chroot: "jail", user: "daemon", sandbox: "yes" },
    uid: DAEMON,
    isChroot: true,
  },
  {
    name: "started as root, with user",
    skip: onlyRoot || NO_SANDBOX,
    configuration: { docbase: "jail/htdocs", user: "daemon", sandbox: "yes" },
    uid: DAEMON,
    isChroot: false,
  },
  {
    name: "started as an ordinary user",
    skip: ordinaryUserCannotRun || NO_SANDBOX,
    configuration: { docbase: "jail/htdocs", sandbox: "yes" },
    uid: ordinaryUserId ?? process.geteuid?.() ?? 0,
    userId: ordinaryUserId,
    isChroot: false,
  },
];

const INDEX = "the index\n";
const PAGE = "a page in a folder\n";

function optionsOf({ configuration, uid, userId }: Case): LiveOptions {
  return {
    files: {
      "jail/htdocs/index.html": INDEX,
      "jail/htdocs/folder/page.html": PAGE,
      "jail/htdocs/folder/other.txt": "other",
      "jail/htdocs/uploads/": "",
      "outside/victim": "victim",
    },
    configuration: {
      ...configuration,
      workers: String(WORKERS),
      processes: String(PROCESSES),
      "upload-dir": "uploads",
    },
    userId,
    prepare: (top) => {
      for (const folder of [top, `${top}/jail`, `${top}/jail/htdocs`]) chmodSync(folder, 0o755);
      chmodSync(`${top}/outside`, 0o777);
      chmodSync(`${top}/outside/victim`, 0o666);
      if (process.geteuid?.() === 0) chownSync(`${top}/jail/htdocs/uploads`, uid, uid);
      if (userId !== undefined) chownSync(top, userId, userId);
    },
  };
}

async function assertServes({ port, top }: LiveServer): Promise<void> {
  const uploads: [path: string, hash: string][] = [];
  const errands = [
    fetching("/", Buffer.from(INDEX)),
    fetching("/folder/page.html", Buffer.from(PAGE)),
    listing("/folder/", ["page.html", "other.txt"]),
    uploading(5000, (path, hash) => uploads.push([path, hash])),
    // More than one piece, so that it is spooled.
    uploading(500_000, (path, hash) => uploads.push([path, hash])),
  ];
  for (const errand of errands) {
    const wrong = errand.judge(await ask(port, errand));
    assert.equal(wrong, undefined);
  }
  for (const [path, hash] of uploads) assert.equal(sha256(readFileSync(`${top}/jail/htdocs${path}`)), hash);
  const { status } = await ask(port, fetching("/missing", Buffer.alloc(0)));
  assert.equal(status, 404);
}

function assertThreads(pid: number, uid: number): void {
  const statuses = threadStatuses(pid);
  assert.ok(statuses.length >= LEAST_THREADS, `${statuses.length} threads`);
  for (const { uids, gids, groups, capabilities, hasNoNewPrivileges } of statuses) {
    assert.deepEqual([uids, gids], [Array(4).fill(uid), Array(4).fill(uid)]);
    assert.deepEqual(
      groups.filter((group) => group !== uid),
      [],
    );
    const { bounding: _, ...held } = capabilities;
    assert.deepEqual(held, { inheritable: 0n, permitted: 0n, effective: 0n, ambient: 0n });
    assert.ok(hasNoNewPrivileges);
  }
}

/**
 * But for the access log, which can be appended to, no descriptor leads to a file or folder outside. A chroot without
 * /dev/null has libuv keep one of its own root.
 */
function assertNoWayOut(pid: number, { top }: LiveServer, { isChroot }: Case): void {
  const allowed = isChroot ? [`${top}/jail`, "/dev/null"] : ["/dev/null"];
  const ways = openPlaces(pid).filter((place) => place.startsWith("/") && !allowed.includes(place));
  assert.deepEqual(
    ways.filter((place) => !place.startsWith(`${top}/jail/htdocs`) && !place.startsWith("/proc/")),
    [`${top}/access`],
  );
  const descriptor = readdirSync(`/proc/${pid}/fd`).find(
    (each) => readlinkSync(`/proc/${pid}/fd/${each}`) === `${top}/access`,
  );
  const [, flags = ""] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "latin1")) ?? [];
  const { O_APPEND, O_WRONLY } = constants;
  assert.equal(Number.parseInt(flags, 8) & (O_APPEND | O_WRONLY | constants.O_RDWR), O_APPEND | O_WRONLY);
}

for (const each of CASES) {
  test(`rights: ${each.name}: no thread of a worker has more than it needs, and the work is done`, {
    skip: each.skip,
    timeout: 180_000,
  }, async (t) => {
    const server = await LiveServer.start(t, optionsOf(each));
    await assertServes(server);
    for (const pid of await server.settled(PROCESSES)) {
      assertThreads(pid, each.uid);
      assertNoWayOut(pid, server, each);
    }

    await t.test("one that replaces another", async () => {
      const [victim = 0] = server.workers;
      process.kill(victim, "SIGKILL");
      await until("the successor serves", () => / worker process \d+ serves$/m.test(server.events));
      const workers = await server.settled(PROCESSES);
      assert.ok(!workers.includes(victim));
      for (const pid of workers) assertThreads(pid, each.uid);
      await assertServes(server);
    });

    await t.test("after a reload", async () => {
      const old = server.workers;
      const { status, standardError } = await server.run(t, "reload");
      assert.equal(status, 0, standardError);
      await until("the old ones have gone", () => !old.some(isRunning));
      const workers = await server.settled(PROCESSES);
      for (const pid of workers) assertThreads(pid, each.uid);
      await assertServes(server);
    });

    await t.test("the access log goes on in a new file", async () => {
      renameSync(`${server.top}/access`, `${server.top}/access.1`);
      const old = readFileSync(`${server.top}/access.1`, "utf8").length;
      server.command.signal("SIGUSR1");
      await until("the logs are open anew", () => existsSync(`${server.top}/access`));
      assert.equal((await ask(server.port, fetching("/?marked", Buffer.from(INDEX)))).status, 200);
      // Lines of the requests before may come with it: workers send them by and by.
      const marked = /^127\.0\.0\.1 - - \[.*\] "GET \/\?marked HTTP\/1\.1" 200 10\n/m;
      await until("there is a line in it", () => marked.test(readFileSync(`${server.top}/access`, "utf8")));
      assert.ok(readFileSync(`${server.top}/access.1`, "utf8").length >= old);
    });

    assert.equal((await server.stop()).status, 0);
    assert.deepEqual(
      readdirSync(`${server.top}/jail/htdocs/uploads`).filter((name) => !/^upload_\w+\.json$/.test(name)),
      [],
    );
  });
}

// ---- what code inside of them comes to

/** Another process of the same user, and a port that somebody listens on. */
async function orderProbe(t: TestContext, top: string, { isChroot, uid }: Case): Promise<ProbeOrder> {
  const listener = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  const identity = process.geteuid?.() === 0 ? { uid, gid: uid } : {};
  const neighbour = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
    stdio: ["pipe", "ignore", "ignore"],
    ...identity,
  });
  t.after(() => neighbour.stdin.end());
  assert.ok(neighbour.pid !== undefined);
  const site = isChroot ? "/htdocs" : `${top}/jail/htdocs`;
  return {
    secret: "/etc/passwd",
    outside: `${top}/outside`,
    served: `${site}/index.html`,
    uploads: `${site}/uploads`,
    pid: neighbour.pid,
    port: (listener.address() as AddressInfo).port,
    // In a chroot all task threads are there from the start.
    threads: isChroot ? WORKERS / PROCESSES : 0,
  };
}

async function readReport(server: LiveServer, pid: number): Promise<ProbeReport> {
  process.kill(pid, "SIGWINCH");
  return until("the probe has reported", () =>
    server.events
      .split("\n")
      .map(parseProbeLine)
      .find((report) => report?.pid === pid),
  );
}

for (const each of CASES) {
  test(`rights: ${each.name}: code inside a worker reaches nothing outside, in whatever thread`, {
    skip: each.skip,
    timeout: 180_000,
  }, async (t) => {
    const { files, configuration, prepare, userId } = optionsOf(each);
    const top = makeTree(t, { ...files, "comanche.conf": formatConfiguration(configuration ?? {}) });
    prepare?.(top);
    const environment = probeEnvironment(await orderProbe(t, top, each));
    const options = `--import=${scriptPath("probe-relay")} ${environment.NODE_OPTIONS}`;
    const server = await LiveServer.startIn(t, top, { environment: { ...environment, NODE_OPTIONS: options }, userId });
    await assertServes(server);

    const want = { ...ALLOWED, ...(each.isChroot ? UNSEEN : REFUSED) };
    for (const pid of await server.settled(PROCESSES)) {
      const { loop, threadPool, threads } = await readReport(server, pid);
      assert.deepEqual(loop, { ...want, "become root": "EPERM" });
      assert.deepEqual(threadPool, Object.fromEntries(Object.entries(want).filter(([name]) => name in threadPool)));
      assert.ok(Object.keys(threadPool).length >= 5);
      assert.ok(threads.length >= 1 + (each.isChroot ? WORKERS / PROCESSES : 0));
      for (const attempts of threads) assert.deepEqual(attempts, want);
    }
    assert.equal(readFileSync(`${top}/outside/victim`, "utf8"), "victim");
    assert.deepEqual(readdirSync(`${top}/outside`), ["victim"]);
    assert.equal((await server.stop()).status, 0);
  });
}
