/** The server that `conf/threaded.conf` makes, over real sockets: its statuses, its chunks, and what it tells. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { ChunkedDecoder } from "../../src/http/chunked-decoder.ts";
import { AccessLog } from "../../src/observe/access-log.ts";
import { makeTree } from "../support/file-tree.ts";
import { latin1, RawClient } from "../support/raw-client.ts";
import { writeOld } from "../support/served-site.ts";
import { settingsFrom } from "../support/settings-from.ts";
import { startWorkerHere } from "../support/worker-here.ts";

const SHIPPED = readFileSync(fileURLToPath(new URL("../../../conf/threaded.conf", import.meta.url)), "utf8");
/** Longer than a chunk, and no two of its chunks are alike. */
const TEXT = Array.from({ length: 5000 }, (_, index) => `${index}\n`).join("");
/** Too large to be kept in memory. */
const LARGE = Buffer.from(Uint32Array.from({ length: 600_000 }, (_, index) => index).buffer);

interface Running {
  readonly port: number;
  readonly events: string[];
}

/** @param changes  added to the shipped file; a key that it has is replaced */
async function start(t: TestContext, changes: Readonly<Record<string, string>> = {}): Promise<Running> {
  const top = makeTree(t, { "htdocs/page.html": "<p>page", "htdocs/archive/": "", "htdocs/tool.sh": "#" });
  writeOld(`${top}/htdocs/text.txt`, TEXT);
  writeOld(`${top}/htdocs/large.png`, LARGE);
  let configuration = SHIPPED;
  for (const [key, value] of Object.entries({ port: "0", ...changes })) {
    configuration = configuration.replace(new RegExp(`^${key} = .*\n`, "m"), "");
    configuration += `${key} = ${value}\n`;
  }
  const events: string[] = [];
  const say = (text: string): void => void events.push(text);
  const sink = { error: say, warn: say, info: say, debug: say };
  const access = new AccessLog(
    { name: "nowhere", write: async (chunk) => chunk.length, close: async () => undefined },
    sink,
  );
  const worker = await startWorkerHere(settingsFrom(top, configuration), { access, events: sink });
  t.after(async () => {
    worker.cut();
    await worker.drain("stopping", milliseconds(0));
  });
  const [{ endpoint } = {}] = worker.served;
  assert.ok(endpoint?.kind === "tcp");
  return { port: endpoint.port, events };
}

async function ask(port: number, request: string, ...fields: string[]): Promise<{ head: string; body: Buffer }> {
  const client = await RawClient.connect(port);
  const own = fields.some((field) => field.startsWith("Host:")) ? [] : ["Host: localhost"];
  const [line = "", content = ""] = request.split("\n");
  client.send(Buffer.from([line, ...own, ...fields, "Connection: close", "", content].join("\r\n"), "latin1"));
  const answer = await client.readToEnd();
  client.destroy();
  const end = answer.indexOf("\r\n\r\n") + 4;
  return { head: latin1(answer.subarray(0, end)), body: answer.subarray(end) };
}

/** The content of a chunked body, and the sizes its chunks are announced with. */
function decode(body: Buffer): { content: Buffer; sizes: number[] } {
  const pieces: Buffer[] = [];
  const outcome = new ChunkedDecoder(bytes(1e9)).push(body, (piece) => pieces.push(Buffer.from(piece)));
  assert.deepEqual(outcome, { kind: "done", consumed: body.length });
  return { content: Buffer.concat(pieces), sizes: pieces.map((piece) => piece.length) };
}

const files: [name: string, path: string, content: Buffer][] = [
  ["from memory", "/text.txt", Buffer.from(TEXT)],
  ["from the disk", "/large.png", LARGE],
];
for (const [name, path, content] of files) {
  test(`a file ${name} comes in chunks of 8 KiB, to HTTP/1.1 alone, and however often it is asked for`, async (t) => {
    const { port } = await start(t);
    for (let round = 0; round < 2; round += 1) {
      const chunked = await ask(port, `GET ${path} HTTP/1.1`);
      assert.match(chunked.head, /^HTTP\/1\.1 200 OK\r\n/);
      assert.match(chunked.head, /\r\nTransfer-Encoding: chunked\r\n/);
      assert.doesNotMatch(chunked.head, /Content-Length/);
      const { content: received, sizes } = decode(chunked.body);
      assert.ok(received.equals(content));
      assert.ok(sizes.slice(0, -1).every((size) => size === 8192));

      const plain = await ask(port, `GET ${path} HTTP/1.0`);
      assert.match(plain.head, new RegExp(`\r\nContent-Length: ${content.length}\r\n`));
      assert.doesNotMatch(plain.head, /Transfer-Encoding/);
      assert.ok(plain.body.equals(content));
    }
  });
}

test("HEAD tells the same fields as GET, and nothing follows", async (t) => {
  const { port } = await start(t);
  const dateless = ({ head }: { head: string }): string => head.replace(/Date: .*\r\n/, "");
  for (const path of ["/text.txt", "/large.png"]) {
    const head = await ask(port, `HEAD ${path} HTTP/1.1`);
    assert.equal(dateless(head), dateless(await ask(port, `GET ${path} HTTP/1.1`)));
    assert.equal(head.body.length, 0);
  }
});

test("a part of a file has its length, as ever", async (t) => {
  const { port } = await start(t);
  for (const path of ["/text.txt", "/large.png"]) {
    const { head, body } = await ask(port, `GET ${path} HTTP/1.1`, "Range: bytes=5-9");
    assert.match(head, /^HTTP\/1\.1 206 .*\r\nContent-Length: 5\r\n/s);
    assert.equal(body.length, 5);
  }
});

test("a chunked answer on a lasting connection ends where the next one begins", async (t) => {
  const { port } = await start(t);
  const client = await RawClient.connect(port);
  const request = "GET /page.html HTTP/1.1\r\nHost: localhost\r\n";
  client.send(Buffer.from(`${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`));
  const answers = latin1(await client.readToEnd()).split(/(?=HTTP\/1\.1 200 OK)/);
  client.destroy();
  assert.equal(answers.length, 3);
  for (const answer of answers) assert.match(answer, /\r\n\r\n7\r\n<p>page\r\n0\r\n\r\n$/);
});

const JSON_TYPE = "Content-Type: application/json";
const statuses: [name: string, status: number, reason: string, request: string, fields: string[]][] = [
  ["another host", 403, "host-unknown", "GET / HTTP/1.1", ["Host: evil.example"]],
  ["a path that climbs", 403, "traversal", "GET /../secret HTTP/1.1", []],
  ["a type that is not served", 415, "type-not-allowed", "GET /tool.sh HTTP/1.1", []],
  [
    "an upload of another type",
    415,
    "upload-type",
    "POST /upload HTTP/1.1\n{}",
    ["Content-Type: text/plain", "Content-Length: 2"],
  ],
  ["an upload that is not JSON", 400, "bad-json", "POST /upload HTTP/1.1\n{]", [JSON_TYPE, "Content-Length: 2"]],
  ["an upload that is too large", 413, "body-too-large", "POST /upload HTTP/1.1", [JSON_TYPE, "Content-Length: 8193"]],
  ["an upload elsewhere", 405, "method-not-allowed", "POST /page.html HTTP/1.1\n{}", [JSON_TYPE, "Content-Length: 2"]],
  ["another method", 405, "method-not-allowed", "DELETE /page.html HTTP/1.1", []],
  ["no HTTP", 400, "bad-request-line", "nonsense", []],
];
test("its statuses", async (t) => {
  const { port } = await start(t);
  for (const [name, status, reason, request, fields] of statuses) {
    const { head, body } = await ask(port, request, ...fields);
    assert.equal(head.slice("HTTP/1.1 ".length, "HTTP/1.1 400".length), String(status), name);
    assert.match(latin1(body), new RegExp(reason), name);
  }
});

const PEER = String.raw`127\.0\.0\.1:\d+`;

test("what it tells of a connection, from the first moment to the last", async (t) => {
  const { port, events } = await start(t);
  await ask(port, "GET /page.html HTTP/1.1");
  await ask(port, "GET / HTTP/1.1", "Host: evil.example");
  const patterns = [
    `connection opened: ${PEER}`,
    "host check ✓ localhost",
    `transfer started: /page\\.html, 17 bytes to ${PEER}`,
    `transfer completed: /page\\.html, 17 bytes to ${PEER}`,
    `closing persistent connection: ${PEER}, as the client asked`,
    `connection opened: ${PEER}`,
    "host check ✗ evil\\.example",
    "not one of hosts: evil\\.example from 127\\.0\\.0\\.1",
    `closing persistent connection: ${PEER}, as the client asked`,
  ];
  assert.equal(events.length, patterns.length, events.join("\n"));
  for (const [at, pattern] of patterns.entries()) assert.match(events[at] ?? "", new RegExp(`^${pattern}$`));
});

test("nothing of that is told at the level info", async (t) => {
  const { port, events } = await start(t, { "log-level": "info" });
  await ask(port, "GET /page.html HTTP/1.1");
  assert.deepEqual(events, []);
});

test("a connection too many from one client is answered 503, with the time to come back", async (t) => {
  const { port } = await start(t, { "connections-per-client": "1", "retry-after": "7s" });
  const first = await RawClient.connect(port);
  first.send(Buffer.from("GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await first.readHead();
  const second = await RawClient.connect(port);
  const answer = latin1(await second.readToEnd());
  assert.match(answer, /^HTTP\/1\.1 503 .*\r\nRetry-After: 7\r\nConnection: close\r\n/s);
  assert.match(answer, /too-many-from-client/);
  for (const client of [first, second]) client.destroy();
});
