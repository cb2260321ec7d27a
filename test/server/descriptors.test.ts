/**
 * More connections than descriptors: the server lives on, does not spin, and accepts again when some are free.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ordinaryUserCannotRun, ordinaryUserId } from "../support/comanche-command.ts";
import { fetching } from "../support/errands.ts";
import { LiveServer } from "../support/live-server.ts";
import { descriptorsOf, isRunning, processorTime } from "../support/process-facts.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/visitors.ts";

/** Beside those that a worker has when it starts. */
const FREE = 200;
const CONNECTIONS = 500;
const SMALL = Buffer.from("small");
/** Of the second that is looked at; an idle worker takes a hundredth. */
const MAX_PROCESSOR_TIME = 0.1;

const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status === 0 ? false : "there is no prlimit(1)";
const openFiles = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
const TOO_FEW_FILES = openFiles < 2 * CONNECTIONS && `this process may open ${openFiles} files only`;

/** One worker, which may open a few more than it has from its start. An ordinary user cannot raise that again. */
async function startNarrow(t: TestContext, sandbox: string): Promise<{ server: LiveServer; worker: number }> {
  const server = await LiveServer.start(t, {
    configuration: { processes: "1", workers: "1", timeout: "60s", "header-timeout": "60s", sandbox },
    userId: ordinaryUserId,
    prepare: (top) => {
      if (ordinaryUserId !== undefined) chownSync(top, ordinaryUserId, ordinaryUserId);
    },
  });
  const [first = 0] = server.workers;
  const limit = descriptorsOf(first).length + FREE;
  const itself = ordinaryUserId === undefined ? {} : { uid: ordinaryUserId, gid: ordinaryUserId };
  execFileSync("prlimit", [`--pid=${server.pid}`, `--nofile=${limit}:${limit}`], itself);
  process.kill(first, "SIGKILL");
  await until("its successor serves", () => /worker process \d+ serves$/m.test(server.events));
  assert.equal((await ask(server.port, fetching("/small.txt", SMALL))).status, 200);
  const [worker = 0] = server.workers;
  assert.notEqual(worker, first);
  return { server, worker };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}

for (const sandbox of ["auto", "no"]) {
  test(`${CONNECTIONS} connections to a worker with ${FREE} descriptors to spare, sandbox = ${sandbox}`, {
    skip: NO_PRLIMIT || TOO_FEW_FILES || ordinaryUserCannotRun,
    timeout: 180_000,
  }, async (t) => {
    const { server, worker } = await startNarrow(t, sandbox);
    const sockets: Socket[] = [];
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let i = 0; i < CONNECTIONS; i += 1) sockets.push(await open(server.port));

    await t.test("it does not spin", async () => {
      const before = processorTime(worker) + processorTime(server.pid);
      await setTimeout(1000);
      const used = processorTime(worker) + processorTime(server.pid) - before;
      assert.ok(used < MAX_PROCESSOR_TIME, `${used} s of processor time in a second`);
    });

    await t.test("who was accepted is served, or told that it is busy", async () => {
      const [first] = sockets;
      first?.write("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const [answer] = (await once(first as Socket, "data")) as [Buffer];
      assert.match(answer.toString("latin1"), /^HTTP\/1\.1 (200|503) /);
    });

    await t.test("it accepts again when they have gone", async () => {
      for (const socket of sockets) socket.destroy();
      // Until it has noticed that they have gone it may say that it is busy.
      const isServed = async () => (await ask(server.port, fetching("/small.txt", SMALL))).status === 200;
      for (let attempt = 1; !(await isServed()); attempt += 1) {
        assert.ok(attempt < 50, "it stays busy");
        await setTimeout(20);
      }
      for (let i = 0; i < 5; i += 1) assert.ok(await isServed());
      assert.ok(isRunning(worker), "it is the same worker");
      assert.deepEqual(server.workers, [worker]);
    });

    const { status, standardError } = await server.stop();
    assert.equal(status, 0, standardError);
    assert.doesNotMatch(standardError, /internal error/);
  });
}
