/**
 * TERM while a client downloads slowly: the download ends in its own time, or at the end of the grace period.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Download, sha256 } from "../support/download.ts";
import { fetching } from "../support/errands.ts";
import { LiveServer } from "../support/live-server.ts";
import { isRunning } from "../support/process-facts.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/visitors.ts";

const SIZE = 64 * 2 ** 20;
const BOUNDED = { timeout: 180_000 };
/** Different at every place. */
const CONTENT = Buffer.from(Uint32Array.from({ length: SIZE / 4 }, (_, index) => index).buffer);
/** How long the client reads nothing. */
const STALL_MS = 1500;

async function startServer(t: TestContext, grace: string): Promise<LiveServer> {
  const server = await LiveServer.start(t, { configuration: { grace, processes: "2" } });
  writeFileSync(`${server.top}/htdocs/large.bin`, CONTENT);
  return server;
}

/** @returns why not; undefined when it is connected */
function tryToConnect(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 1000 });
    socket.once("timeout", () => {
      socket.destroy();
      resolve("no answer");
    });
    socket.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

async function refused(port: number): Promise<void> {
  let found: string | undefined;
  for (const began = performance.now(); found !== "ECONNREFUSED"; found = await tryToConnect(port)) {
    assert.ok(performance.now() < began + 5000, `connecting still ends with ${found}`);
  }
}

test(
  "TERM while a 64 MiB download is under way: it completes, others are refused meanwhile, and exit 0",
  BOUNDED,
  async (t) => {
    const server = await startServer(t, "30s");
    const [slow, slower] = await Promise.all([1, 2].map(() => Download.start(server, "/large.bin")));
    assert.ok(slow !== undefined && slower !== undefined);
    const { workers } = server;
    server.command.signal("SIGTERM");
    await refused(server.port);
    await setTimeout(STALL_MS);
    assert.equal(await tryToConnect(server.port), "ECONNREFUSED");
    assert.ok(isRunning(server.pid), "it waits for the downloads");
    assert.equal(server.state.phase, "stopping");
    for (const download of [slow, slower]) {
      assert.ok(isRunning(server.pid));
      const { length, sha256: hash } = await download.finish();
      assert.deepEqual([length, hash], [SIZE, sha256(CONTENT)]);
    }
    const end = await server.command.end;
    assert.deepEqual([end.status, end.signal], [0, null]);
    assert.deepEqual(workers.filter(isRunning), []);
    assert.match(server.events, /SIGTERM: stopping, at most 30 s .*\n.* stopped\n$/);
  },
);

test("TERM with grace = 1s while a download is under way: it is cut, and exit 3", BOUNDED, async (t) => {
  const server = await startServer(t, "1s");
  const download = await Download.start(server, "/large.bin");
  const { workers } = server;
  const began = performance.now();
  server.command.signal("SIGTERM");
  const end = await server.command.end;
  const took = performance.now() - began;
  assert.deepEqual([end.status, end.signal], [3, null]);
  // The default would be 30 s.
  assert.ok(took >= 1000 && took < 25_000, `it took ${took} ms`);
  assert.ok((await download.finish()).length < SIZE);
  assert.deepEqual(workers.filter(isRunning), []);
  assert.match(server.events, /warning: stopped; connections cut while busy: 1\n$/);
});

test("TERM while a generation still drains: both its download and that of the new one complete", BOUNDED, async (t) => {
  const server = await startServer(t, "30s");
  const before = await Download.start(server, "/large.bin");
  const { status, standardError } = await server.run(t, "reload");
  assert.equal(status, 0, standardError);
  const after = await Download.start(server, "/large.bin");
  assert.equal((await ask(server.port, fetching("/small.txt", Buffer.from("small")))).status, 200);
  assert.deepEqual([...new Set(server.state.workers.map(({ generation }) => generation))].toSorted(), [1, 2]);
  server.command.signal("SIGTERM");
  await refused(server.port);
  for (const download of [before, after]) {
    const { length, sha256: hash } = await download.finish();
    assert.deepEqual([length, hash], [SIZE, sha256(CONTENT)]);
  }
  const end = await server.command.end;
  assert.equal(end.status, 0, end.standardError);
});

test("TERM while a reload is under way: it stops, and nothing is left", BOUNDED, async (t) => {
  const server = await startServer(t, "30s");
  const old = server.workers;
  server.command.signal("SIGHUP");
  const fresh = await until("new workers are being started", () => {
    const news = server.workers.filter((pid) => !old.includes(pid));
    return news.length > 0 && news;
  });
  server.command.signal("SIGTERM");
  const end = await server.command.end;
  assert.deepEqual([end.status, end.signal], [0, null], end.standardError);
  assert.deepEqual([...old, ...fresh].filter(isRunning), []);
});
