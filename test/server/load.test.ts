/**
 * Many clients at a time: thousands that do nothing, and some that download the same large file.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { type TestContext, test } from "node:test";
import { ComancheCommand } from "../support/comanche-command.ts";
import { makeTree } from "../support/file-tree.ts";
import { residentBytes } from "../support/process-facts.ts";
import { latin1 } from "../support/raw-client.ts";
import { rounds } from "../support/rounds.ts";

const IDLE = rounds(2000, 5000);
const CONNECTING_TOGETHER = 250;
const TIMEOUT_MS = 10_000;
/** Deadlines are looked at four times a second; the rest is for a busy machine. */
const LATE_MS = 30_000;

const DOWNLOADS = rounds(30, 100);
const FILE_SIZE = 64 * 2 ** 20;
const MAX_RESIDENT = 200 * 2 ** 20;

const HEAD_END = "\r\n\r\n";

const BOUNDED = { timeout: 240_000 };

async function startServer(t: TestContext, content: Uint8Array, ...flags: readonly string[]) {
  const top = makeTree(t, { "htdocs/": "", "comanche.conf": "" });
  writeFileSync(`${top}/htdocs/file`, content);
  const server = new ComancheCommand(["-d", "-c", "comanche.conf", "-p", "0", "-l", "access", ...flags], { cwd: top });
  t.after(() => server.kill());
  return { server, port: await server.port() };
}

/** Connects, makes one request and reads its answer. */
function visit(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", reject).write("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let arrived = "";
    socket.on("data", (chunk) => {
      arrived += chunk.toString("latin1");
      if (arrived.endsWith("\r\n\r\nsmall")) resolve(socket);
    });
  });
}

const openFiles = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
const tooFewFiles = openFiles < IDLE + 500 && `this process may open ${openFiles} files only`;

test(`${IDLE} idle connections are held, and closed at their time`, { skip: tooFewFiles, ...BOUNDED }, async (t) => {
  const { server, port } = await startServer(t, Buffer.from("small"), "--timeout", `${TIMEOUT_MS}ms`);
  const held: number[] = [];
  const closed: Promise<void>[] = [];
  let open = 0;
  while (closed.length < IDLE) {
    const sockets = await Promise.all(Array.from({ length: CONNECTING_TOGETHER }, () => visit(port)));
    for (const socket of sockets) {
      const idleSince = performance.now();
      open += 1;
      const end = new Promise<void>((resolve) => {
        socket.once("end", () => {
          open -= 1;
          held.push(performance.now() - idleSince);
          resolve();
        });
      });
      closed.push(end);
    }
  }
  assert.equal(open, IDLE, "all of them are open together");
  const resident = residentBytes(server.pid);
  assert.ok(resident < MAX_RESIDENT, `${resident} bytes resident`);
  (await visit(port)).destroy();

  await Promise.all(closed);
  const shortest = Math.min(...held);
  const longest = Math.max(...held);
  // The server's count begins a little before the answer is here.
  assert.ok(shortest > TIMEOUT_MS - 1000, `one was closed after ${shortest} ms`);
  assert.ok(longest < TIMEOUT_MS + LATE_MS, `one was closed after ${longest} ms`);
  server.signal("SIGTERM");
  assert.equal((await server.end).status, 0);
});

/** Downloads the file and compares every byte. @returns how many arrived, and were right */
function compareDownload(port: number, content: Buffer, onProgress: () => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = "";
    let position = 0;
    const take = (count: number, buffer: Uint8Array): boolean => {
      let arrived = buffer.subarray(0, count);
      if (!head.endsWith(HEAD_END)) {
        const before = head.length;
        const text = head + latin1(arrived);
        const end = text.indexOf(HEAD_END);
        head = end < 0 ? text : text.slice(0, end + HEAD_END.length);
        arrived = arrived.subarray(head.length - before);
      }
      const next = position + arrived.length;
      if (content.compare(arrived, 0, arrived.length, position, next) !== 0) {
        socket.destroy(new Error(`a wrong byte between ${position} and ${next}`));
      }
      position = next;
      onProgress();
      return true;
    };
    // One buffer of its own for each socket: so much faster that it is the server that is measured.
    const onread = { buffer: Buffer.allocUnsafe(256 * 1024), callback: take };
    const socket = connect({ port, host: "127.0.0.1", onread });
    socket.write("GET /file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.on("error", reject).on("close", () => resolve(position));
  });
}

const tooFewCores = availableParallelism() < 2 && "server and clients need a core each to be done in time";

test(`${DOWNLOADS} downloads of 64 MiB together arrive whole, in little memory`, {
  skip: tooFewCores,
  ...BOUNDED,
}, async (t) => {
  // Different at every place.
  const content = Buffer.from(Uint32Array.from({ length: FILE_SIZE / 4 }, (_, index) => index).buffer);
  const { server, port } = await startServer(t, content);
  let most = 0;
  let chunks = 0;
  const watch = (): void => {
    chunks += 1;
    if (chunks % 500 === 0) most = Math.max(most, residentBytes(server.pid));
  };
  const lengths = await Promise.all(Array.from({ length: DOWNLOADS }, () => compareDownload(port, content, watch)));
  assert.deepEqual(
    lengths,
    lengths.map(() => FILE_SIZE),
  );
  assert.ok(most > 0 && most < MAX_RESIDENT, `${most} bytes resident`);
  t.diagnostic(`at most ${Math.round(most / 2 ** 20)} MiB resident`);
  server.signal("SIGTERM");
  assert.equal((await server.end).status, 0);
});
