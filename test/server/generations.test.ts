/**
 * One generation of workers gives way to the next, or one worker to another: what changes with it, and what clients notice,
 * which is nothing.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Download } from "../support/download.ts";
import { fetching } from "../support/errands.ts";
import { findFreePort } from "../support/free-port.ts";
import { LiveServer } from "../support/live-server.ts";
import { isRunning } from "../support/process-facts.ts";
import { RawClient } from "../support/raw-client.ts";
import { randomFor } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { readAnswer } from "../support/upload-client.ts";
import { ask, type Manner, Visitors } from "../support/visitors.ts";

const PROCESSES = 2;
const BOUNDED = { timeout: 180_000 };
const random = randomFor("generations");
const SMALL = Buffer.from("small");
const MANNERS: readonly Manner[] = [
  { kind: "keeping" },
  { kind: "pausing", longest: 30 },
  { kind: "pausing", longest: 300 },
  { kind: "fresh" },
];

function start(t: TestContext, configuration: Readonly<Record<string, string>> = {}): Promise<LiveServer> {
  return LiveServer.start(t, { configuration: { processes: String(PROCESSES), ...configuration } });
}

function visit(t: TestContext, port: number): Visitors {
  let serial = 0;
  const errand = () => {
    serial += 1;
    return fetching(`/small.txt?${serial}`, SMALL);
  };
  const visitors = new Visitors({ port, manners: MANNERS, errand });
  t.after(() => visitors.stop());
  return visitors;
}

async function reload(t: TestContext, server: LiveServer): Promise<void> {
  const { status, standardError } = await server.run(t, "reload");
  assert.equal(status, 0, standardError);
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED"));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
}

test(
  "TERM to one worker after the other under load: each has a successor first, and no request fails",
  BOUNDED,
  async (t) => {
    const server = await start(t);
    const visitors = visit(t, server.port);
    for (let round = 0; round < 6; round += 1) {
      await setTimeout(random() * 200);
      const before = server.workers;
      const leaving = before[round % before.length] ?? 0;
      process.kill(leaving, "SIGTERM");
      await until("it has left", () => !isRunning(leaving), { facts: () => server.events.slice(-500) });
      const after = await server.settled(PROCESSES);
      assert.equal(after.filter((pid) => before.includes(pid)).length, PROCESSES - 1);
    }
    await visitors.stop();
    assert.deepEqual(visitors.complaints, []);
    assert.match(server.events, /worker process \d+ is replaced because it got SIGTERM: starting another$/m);
    assert.equal((await server.stop()).status, 0);
  },
);

test("a burst of 40 hangups: the server does not drown in generations, and answers the last", BOUNDED, async (t) => {
  const server = await start(t);
  const visitors = visit(t, server.port);
  const seen = new Set<number>();
  for (let round = 1; round <= 40; round += 1) {
    server.command.signal("SIGHUP");
    // One that has not been received yet swallows the next.
    await setTimeout(10);
    for (const pid of server.workers) seen.add(pid);
    assert.ok(server.workers.length <= 4 * PROCESSES, `${server.workers.length} workers`);
  }
  await until("some were received", () => server.state.hangups > 1);
  const { hangups } = server.state;
  await until(
    "the last is answered",
    () => (server.state.reload?.covers ?? 0) >= hangups && server.state.phase === "serving",
  );
  await visitors.stop();
  assert.deepEqual(visitors.complaints, []);
  const workers = await server.settled(PROCESSES);
  assert.deepEqual(
    [...seen].filter((pid) => isRunning(pid) && !workers.includes(pid)),
    [],
  );
  assert.equal((await server.stop()).status, 0);
});

test(
  "a reload to another port: the new one is served, the old one refused, and who is connected is answered once more",
  BOUNDED,
  async (t) => {
    const patient = { timeout: "60s" };
    const server = await start(t, patient);
    const kept = await RawClient.connect(server.port);
    t.after(() => kept.destroy());
    const request = Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    kept.send(request);
    assert.equal((await readAnswer(kept)).field("Connection"), "keep-alive");

    const other = await findFreePort();
    server.configure({ processes: String(PROCESSES), port: String(other), ...patient });
    await reload(t, server);
    assert.equal((await ask(other, fetching("/small.txt", SMALL))).status, 200);
    await until(
      "the old workers have closed the old port",
      () => server.state.endpoints.join() === `http://127.0.0.1:${other}/`,
    );
    kept.send(request);
    const last = await readAnswer(kept);
    assert.deepEqual([last.status, last.field("Connection"), last.body.toString()], [200, "close", "small"]);
    for (let attempt = 1; !(await isRefused(server.port)); attempt += 1) {
      assert.ok(attempt < 100, "the old port still accepts");
      await setTimeout(20);
    }
    assert.equal((await server.stop()).status, 0);
  },
);

test("reloads that name a Unix socket and no longer do: it is served, and then gone", BOUNDED, async (t) => {
  const server = await start(t);
  const path = `${server.top}/socket`;
  server.configure({ processes: String(PROCESSES), address: `127.0.0.1, unix:${path}` });
  await reload(t, server);
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect({ path })
      .on("error", reject)
      .on("end", () => resolve(text));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.write("GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  });
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nsmall$/s);
  server.configure({ processes: String(PROCESSES) });
  await reload(t, server);
  await until("its file is gone", () => !existsSync(path));
  assert.equal((await ask(server.port, fetching("/small.txt", SMALL))).status, 200);
  assert.equal((await server.stop()).status, 0);
});

test(
  "reloads that name another access log under load: every request has its line in one of them",
  BOUNDED,
  async (t) => {
    const server = await start(t);
    const visitors = visit(t, server.port);
    for (const name of ["other", "third", "access"]) {
      await setTimeout(200);
      server.configure({ processes: String(PROCESSES), logfile: name });
      await reload(t, server);
    }
    await visitors.stop();
    assert.deepEqual(visitors.complaints, []);
    assert.equal((await server.stop()).status, 0);
    const lines = ["access", "other", "third"].map((name) =>
      readFileSync(`${server.top}/${name}`, "utf8").split("\n").slice(0, -1),
    );
    for (const each of lines) assert.ok(each.length > 0);
    const serials = lines.flat().map((line) => Number(/\?(\d+) HTTP\/1\.1" 200 5$/.exec(line)?.[1]));
    assert.equal(new Set(serials).size, visitors.answered);
    assert.equal(serials.length, visitors.answered);
  },
);

test("a reload to more and to fewer processes", BOUNDED, async (t) => {
  const server = await start(t);
  for (const count of [4, 1, PROCESSES]) {
    server.configure({ processes: String(count) });
    await reload(t, server);
    await server.settled(count);
    assert.equal((await ask(server.port, fetching("/small.txt", SMALL))).status, 200);
  }
  assert.equal((await server.stop()).status, 0);
});

test("a slow download outlives three reloads, and the generations after its own have gone", BOUNDED, async (t) => {
  const server = await start(t);
  server.makeLarge("large.bin", 64 * 2 ** 20);
  const download = await Download.start(server, "/large.bin");
  for (let round = 0; round < 3; round += 1) await reload(t, server);
  const generations = () => [...new Set(server.state.workers.map(({ generation }) => generation))].toSorted();
  await until("only the first and the last are left", () => generations().join() === "1,4", {
    facts: () => generations().join(),
  });
  assert.equal(server.workers.length, PROCESSES + 1);
  assert.equal((await download.finish()).length, 64 * 2 ** 20);
  await server.settled(PROCESSES);
  assert.equal((await server.stop()).status, 0);
});

test("INT to all processes at once, as a terminal sends it: what is under way is finished", BOUNDED, async (t) => {
  const server = await start(t);
  server.makeLarge("large.bin", 64 * 2 ** 20);
  const download = await Download.start(server, "/large.bin");
  for (const pid of [...server.workers, server.pid]) process.kill(pid, "SIGINT");
  await until("it is stopping", () => /SIGINT: stopping/.test(server.events));
  assert.equal((await download.finish()).length, 64 * 2 ** 20);
  const end = await server.command.end;
  assert.deepEqual([end.status, end.signal], [0, null]);
});
