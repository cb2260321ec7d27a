// Not in --quick: starts whole workers.

import assert from "node:assert/strict";
import { chmodSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import { milliseconds } from "../../src/base/units.ts";
import { ACCESS_LOG_LIMITS, AccessLog } from "../../src/observe/access-log.ts";
import type { LogFile } from "../../src/observe/log-file.ts";
import type { Worker } from "../../src/worker/serve.ts";
import { Download, sha256 } from "../support/download.ts";
import { makeTree } from "../support/file-tree.ts";
import { latin1, RawClient } from "../support/raw-client.ts";
import { countDescriptors, descriptorsUncounted, writeOld } from "../support/served-site.ts";
import { settingsFrom } from "../support/settings-from.ts";
import { startWorkerHere } from "../support/worker-here.ts";

const LONG = milliseconds(20_000);
const SIZE = 20 * 2 ** 20;
/** Different at every place, so that a body made of two files is noticed. */
const OLD = Buffer.from(Uint32Array.from({ length: SIZE / 4 }, (_, index) => index).buffer);
const NEW = Buffer.alloc(SIZE, "new ");

class MemoryLog implements LogFile {
  readonly name = "memory";
  #text = "";
  #wake: () => void = () => {};
  async write(chunk: Uint8Array): Promise<number> {
    this.#text += latin1(chunk);
    this.#wake();
    return chunk.length;
  }
  async close(): Promise<void> {}

  /** Resolves with the lines when there are as many. */
  async lines(count: number): Promise<readonly string[]> {
    const have = () => this.#text.split("\n").slice(0, -1);
    while (have().length < count) await new Promise<void>((resolve) => (this.#wake = resolve));
    return have();
  }
}

interface Running {
  readonly top: AbsolutePath;
  readonly worker: Worker;
  readonly port: number;
  readonly log: MemoryLog;
  readonly access: AccessLog;
  readonly events: string[];
}

async function start(t: TestContext, configuration = ""): Promise<Running> {
  const top = makeTree(t, { "htdocs/small.txt": "small", "htdocs/list/": "" });
  const { log, access, events, logs } = makeLogs();
  const settings = settingsFrom(top, `[main]\naddress = 127.0.0.1\nport = 0\n${configuration}`);
  const worker = await startWorkerHere(settings, logs);
  t.after(async () => {
    worker.cut();
    await worker.drain("stopping", milliseconds(0));
  });
  const [{ endpoint } = {}] = worker.served;
  return { top, worker, port: endpoint?.kind === "tcp" ? endpoint.port : 0, log, access, events };
}

function makeLogs() {
  const events: string[] = [];
  const say = (text: string) => void events.push(text);
  const sink = { error: say, warn: say, info: say, debug: say };
  const log = new MemoryLog();
  const access = new AccessLog(log, sink, { ...ACCESS_LOG_LIMITS, delay: milliseconds(1) });
  return { log, access, events, logs: { access, events: sink } };
}

async function ask(port: number, request: string): Promise<string> {
  const client = await RawClient.connect(port);
  client.send(Buffer.from(`${request}\r\nHost: localhost\r\nConnection: close\r\n\r\n`, "latin1"));
  const answer = latin1(await client.readToEnd());
  client.destroy();
  return answer;
}

// ---- files that change while they are sent

type Outcome = "old" | "cut";

const changes: [name: string, change: (path: string) => void, want: Outcome][] = [
  ["nothing", () => {}, "old"],
  ["truncated", (path) => truncateSync(path, SIZE / 2), "cut"],
  ["emptied", (path) => truncateSync(path, 0), "cut"],
  ["truncated by one byte", (path) => truncateSync(path, SIZE - 1), "cut"],
  [
    "emptied, and as long as before again",
    (path) => {
      truncateSync(path, 0);
      truncateSync(path, SIZE);
    },
    "cut",
  ],
  ["grown", (path) => writeFileSync(path, "more", { flag: "a" }), "old"],
  ["rewritten in place at the same length", (path) => writeFileSync(path, NEW, { flag: "r+" }), "cut"],
  [
    "replaced by renaming",
    (path) => {
      writeFileSync(`${path}.new`, NEW);
      renameSync(`${path}.new`, path);
    },
    "old",
  ],
  ["deleted", (path) => rmSync(path), "old"],
  ["moved away", (path) => renameSync(path, `${path}.moved`), "old"],
  ["made unreadable", (path) => chmodSync(path, 0o000), "old"],
];
for (const [name, change, want] of changes) {
  test(`20 MiB for a slow client, meanwhile: ${name}`, async (t) => {
    const { top, port, log } = await start(t);
    const path = `${top}/htdocs/large.bin`;
    writeOld(path, OLD);
    const download = await Download.start({ port }, "/large.bin");
    assert.equal(download.announced, SIZE);
    change(path);
    const { length, sha256: hash } = await download.finish();
    const [line = ""] = await log.lines(1);
    if (want === "old") {
      assert.equal(length, SIZE);
      assert.equal(hash, sha256(OLD));
      assert.match(line, new RegExp(`" 200 ${SIZE}$`));
    } else {
      assert.ok(length < SIZE, "the body is not complete");
      const logged = Number(/" 200 (\d+)$/.exec(line)?.[1]);
      assert.ok(logged >= length && logged < SIZE, line);
    }
  });
}

test("several ranges of a file that is rewritten meanwhile are not completed", async (t) => {
  const { top, port } = await start(t);
  const path = `${top}/htdocs/large.bin`;
  writeOld(path, OLD);
  const download = await Download.start({ port }, "/large.bin", `Range: bytes=0-0,1000-${SIZE - 1000}\r\n`);
  assert.match(download.head, /^HTTP\/1.1 206 /);
  writeFileSync(path, NEW, { flag: "r+" });
  const { length, announced } = await download.finish();
  assert.ok(length < announced);
});

test("after each change the next request gets what is there then", async (t) => {
  const { top, port } = await start(t);
  const path = `${top}/htdocs/f.txt`;
  const steps: [change: () => void, want: RegExp][] = [
    [() => writeFileSync(path, "one"), /^HTTP\/1.1 200 .*\r\n\r\none$/s],
    [() => writeFileSync(path, "two"), /^HTTP\/1.1 200 .*\r\n\r\ntwo$/s],
    [() => utimesSync(path, 2, 2), /^HTTP\/1.1 200 .*\r\nLast-Modified: Thu, 01 Jan 1970 00:00:02 GMT\r\n/s],
    [() => truncateSync(path, 1), /^HTTP\/1.1 200 .*\r\n\r\nt$/s],
    [() => rmSync(path), /^HTTP\/1.1 404 /],
    [() => writeOld(path, "again"), /^HTTP\/1.1 200 .*\r\n\r\nagain$/s],
    [() => writeOld(path, "AGAIN"), /^HTTP\/1.1 200 .*\r\n\r\nAGAIN$/s],
  ];
  for (const [change, want] of steps) {
    change();
    assert.match(await ask(port, "GET /f.txt HTTP/1.1"), want);
    assert.match(await ask(port, "GET /f.txt HTTP/1.1"), want);
  }
});

// ---- what stays open

test("clients that go away in the middle leave no descriptor", { skip: descriptorsUncounted }, async (t) => {
  const { top, port, log, worker } = await start(t);
  writeOld(`${top}/htdocs/large.bin`, OLD);
  const before = countDescriptors();
  for (let round = 0; round < 5; round += 1) {
    const downloads = await Promise.all(Array.from({ length: 20 }, () => Download.start({ port }, "/large.bin")));
    assert.ok(countDescriptors() >= before + 3 * 20, "a socket at each end, and the file");
    for (const download of downloads) download.leave();
  }
  const lines = await log.lines(100);
  assert.ok(lines.every((line) => / 200 \d+$/.test(line) && !line.endsWith(` ${SIZE}`)));
  assert.deepEqual(await worker.drain("stopping", LONG), { kind: "finished" });
  // The listening socket is gone, too.
  await until(() => countDescriptors() < before);
});

/** Turns of the event loop, in which handles are closed, until it is so; the test's own time-out bounds it. */
async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!isSo()) {
    assert.ok(Date.now() < end, "still not so after 5 s");
    await setImmediate();
  }
}

// ---- draining

test("drain: nothing to wait for", async (t) => {
  const { worker, port } = await start(t);
  assert.deepEqual(await worker.drain("stopping", LONG), { kind: "finished" });
  await assert.rejects(RawClient.connect(port), { code: "ECONNREFUSED" });
});

test("drain: an idle connection is closed at once", async (t) => {
  const { worker, port } = await start(t);
  const client = await RawClient.connect(port);
  client.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await client.readHead();
  await client.readBytes(5);
  const draining = worker.drain("stopping", LONG);
  assert.equal(latin1(await client.readToEnd()), "");
  client.destroy();
  assert.deepEqual(await draining, { kind: "finished" });
});

test("drain: a download that is under way is completed, and no new one begins", async (t) => {
  const { worker, port, top } = await start(t);
  writeOld(`${top}/htdocs/large.bin`, OLD);
  const download = await Download.start({ port }, "/large.bin");
  const draining = worker.drain("stopping", LONG);
  await assert.rejects(RawClient.connect(port), { code: "ECONNREFUSED" });
  assert.equal((await download.finish()).sha256, sha256(OLD));
  assert.deepEqual(await draining, { kind: "finished" });
});

test("drain: a request of which half is here is answered, with Connection: close", async (t) => {
  const { worker, port } = await start(t);
  const client = await RawClient.connect(port);
  client.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /small.txt HTTP/1.1\r\n"));
  await client.readHead();
  await client.readBytes(5);
  const draining = worker.drain("stopping", LONG);
  client.send(Buffer.from("Host: localhost\r\n\r\n"));
  const answer = latin1(await client.readToEnd());
  assert.match(answer, /^HTTP\/1.1 200 .*\r\nConnection: close\r\n.*small$/s);
  client.destroy();
  assert.deepEqual(await draining, { kind: "finished" });
});

const cuts: [name: string, drain: (worker: Worker) => ReturnType<Worker["drain"]>][] = [
  ["at the end of the grace period", (worker) => worker.drain("stopping", milliseconds(20))],
  [
    "at once, when told so",
    (worker) => {
      const draining = worker.drain("stopping", LONG);
      worker.cut();
      return draining;
    },
  ],
];
for (const [name, drain] of cuts) {
  test(`drain: what is not done is cut, and logged: ${name}`, async (t) => {
    const { worker, port, top, access, log } = await start(t);
    writeOld(`${top}/htdocs/large.bin`, OLD);
    const downloads = [await Download.start({ port }, "/large.bin"), await Download.start({ port }, "/large.bin")];
    const idle = await RawClient.connect(port);
    assert.deepEqual(await drain(worker), { kind: "cut", cut: 2 });
    // As the primary does next: whatever is not recorded now never will be.
    await access.close();
    for (const download of downloads) assert.ok((await download.finish()).length < SIZE);
    const lines = await log.lines(0);
    assert.deepEqual(
      lines.map((line) => /"(.*)" (\d+) /.exec(line)?.slice(1).join(" ")),
      ["GET /large.bin HTTP/1.1 200", "GET /large.bin HTTP/1.1 200"],
    );
    idle.destroy();
  });
}

test("drain: downloads that are cut in full flow are logged", async (t) => {
  const { worker, port, top, access, log } = await start(t);
  writeOld(`${top}/htdocs/huge.bin`, "");
  truncateSync(`${top}/htdocs/huge.bin`, 2 ** 40);
  const downloads = await Promise.all(Array.from({ length: 20 }, () => Download.start({ port }, "/huge.bin")));
  const finished = downloads.map((download) => download.finish());
  assert.deepEqual(await worker.drain("stopping", milliseconds(100)), { kind: "cut", cut: 20 });
  await access.close();
  await Promise.all(finished);
  assert.equal((await log.lines(0)).length, 20);
});

// ---- starting

test("several addresses are served, with port 0 all on one free port", async (t) => {
  const top = makeTree(t, { "htdocs/small.txt": "small" });
  const settings = settingsFrom(top, `[main]\naddress = 127.0.0.1, 127.0.0.2, unix:${top}/socket\nport = 0`);
  const worker = await startWorkerHere(settings, makeLogs().logs);
  t.after(() => worker.drain("stopping", milliseconds(0)));
  const [first, second, third] = worker.served.map(({ endpoint }) => endpoint);
  assert.ok(first?.kind === "tcp" && second?.kind === "tcp" && third?.kind === "unix");
  assert.notEqual(first.port, 0);
  assert.equal(second.port, first.port);
  for (const host of [first.host, second.host]) {
    assert.match((await Download.start({ port: first.port, host }, "/small.txt")).head, /^HTTP\/1.1 200 /);
  }
  const socket = connect({ path: third.path });
  socket.end("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const chunks = await socket.toArray();
  assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1.1 200 .*small$/s);
  assert.deepEqual(await worker.drain("stopping", LONG), { kind: "finished" });
});

test("a start that fails gives back what it had bound", { skip: descriptorsUncounted }, async (t) => {
  const top = makeTree(t, { "htdocs/": "" });
  const holder = createServer().listen(0, "127.0.0.2");
  await new Promise((resolve) => holder.once("listening", resolve));
  t.after(() => holder.close());
  const address = holder.address();
  const port = typeof address === "object" ? address?.port : 0;
  const before = countDescriptors();
  const settings = settingsFrom(top, `[main]\naddress = 127.0.0.1, 127.0.0.2\nport = ${port}`);
  await assert.rejects(
    startWorkerHere(settings, makeLogs().logs),
    (error) =>
      error instanceof StartupError &&
      error.message.startsWith(`cannot listen on 127.0.0.2:${port}: the port is in use`),
  );
  await until(() => countDescriptors() === before);
  await assert.rejects(RawClient.connect(port ?? 0), { code: "ECONNREFUSED" });
});

test("a document root that is not there stops the start before anything is bound", async (t) => {
  const top = makeTree(t);
  await assert.rejects(startWorkerHere(settingsFrom(top, "[main]\nport = 0"), makeLogs().logs), StartupError);
});

test("more connections than allowed are told so, with the site's own page", async (t) => {
  const { port, top } = await start(t, "max-connections = 1\nerror-503 = /busy.html\ncache-size = 0\n");
  writeOld(`${top}/htdocs/busy.html`, "<p>come again");
  const first = await RawClient.connect(port);
  first.send(Buffer.from("GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await first.readHead();
  const second = await RawClient.connect(port);
  const answer = latin1(await second.readToEnd());
  assert.match(answer, /^HTTP\/1.1 503 .*\r\nRetry-After: 5\r\n.*\r\n\r\n<p>come again$/s);
  second.destroy();
  first.destroy();
});

test("what a request is refused for is told to the event log", async (t) => {
  const { port, events } = await start(t);
  assert.match(await ask(port, "GET /../etc/passwd HTTP/1.1"), /^HTTP\/1.1 404 /);
  assert.deepEqual(events, ["refused /../etc/passwd from 127.0.0.1: traversal"]);
});
