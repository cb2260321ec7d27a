/**
 * What is served over TLS, byte for byte and to the end of the connection; what is said without it; and that a reload loses
 * no request. Handshakes, resumption, certificates and starts that fail have files of their own.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { errorCode } from "../../src/base/errors.ts";
import { sha256 } from "../support/download.ts";
import { statusOf } from "../support/process-facts.ts";
import { latin1, RawClient } from "../support/raw-client.ts";
import { onlyRoot } from "../support/root.ts";
import { readKey, startTls, TlsClient, type TlsServer, tap, visit } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

// ---- without TLS

async function askPlainly(t: TestContext, port: number, request: string): Promise<string> {
  const client = await RawClient.connect(port);
  t.after(() => client.destroy());
  client.send(Buffer.from(request));
  client.halfClose();
  return latin1(await client.readToEnd());
}

function location(answer: string): string | undefined {
  return /^Location: (.*)\r$/m.exec(answer)?.[1];
}

test("tls-redirect: whoever comes without TLS is sent to the same address with it, and gets nothing else", async (t) => {
  const configuration = { "tls-redirect": "yes", hsts: "48h", "trusted-proxies": "127.0.0.1" };
  const { server, tlsPort } = await startTls(t, { configuration });
  const asks: readonly [what: string, target: string, host: string, want: string][] = [
    ["a file", "/small.txt", "localhost", `https://localhost:${tlsPort}/small.txt`],
    ["the port of the request is dropped", "/", `localhost:${server.port}`, `https://localhost:${tlsPort}/`],
    ["query", "/small.txt?a=1&b=%20/?c", "localhost", `https://localhost:${tlsPort}/small.txt?a=1&b=%20/?c`],
    ["an empty query", "/small.txt?", "localhost", `https://localhost:${tlsPort}/small.txt?`],
    ["escapes", "/a%20b/%C3%A4", "localhost", `https://localhost:${tlsPort}/a%20b/%C3%A4`],
    ["what is not there", "/missing", "localhost", `https://localhost:${tlsPort}/missing`],
    ["another host", "/small.txt", "a.test", `https://a.test:${tlsPort}/small.txt`],
    ["an address", "/", "127.0.0.1", `https://127.0.0.1:${tlsPort}/`],
    ["an address of version 6", "/", "[::1]:80", `https://[::1]:${tlsPort}/`],
  ];
  for (const method of ["GET", "HEAD", "POST", "PUT", "OPTIONS"]) {
    for (const [what, target, host, want] of asks) {
      await t.test(`${method}: ${what}`, async (t) => {
        const body = method.startsWith("P") ? "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" : "\r\n";
        const answer = await askPlainly(t, server.port, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${body}`);
        const status = method === "GET" || method === "HEAD" ? "301 Moved Permanently" : "308 Permanent Redirect";
        assert.ok(answer.startsWith(`HTTP/1.1 ${status}\r\n`), answer);
        assert.equal(location(answer), want);
        assert.doesNotMatch(answer, /\r\n\r\nsmall$/);
        assert.doesNotMatch(answer, /Strict-Transport-Security/i);
      });
    }
  }
  await t.test("a client whose TLS a trusted proxy has ended is not sent anywhere", async (t) => {
    const said = (protocol: string) => `Host: localhost\r\nX-Forwarded-Proto: ${protocol}\r\n\r\n`;
    const answer = await askPlainly(t, server.port, `GET /small.txt HTTP/1.1\r\n${said("https")}`);
    assert.match(
      answer,
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*Strict-Transport-Security: max-age=172800\r\n(?:.+\r\n)*\r\nsmall$/,
    );
    assert.match(await askPlainly(t, server.port, `GET / HTTP/1.1\r\n${said("http")}`), /^HTTP\/1\.1 301 /);
  });
  await t.test("HTTP/1.0 without a host cannot be sent anywhere", async (t) => {
    const answer = await askPlainly(t, server.port, "GET /small.txt HTTP/1.0\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal(location(answer), undefined);
  });
  assert.equal((await visit(tlsPort)).body.toString(), "small");
});

test("hsts: said over TLS with every answer of a site, kept in memory or not", async (t) => {
  const { tlsPort } = await startTls(t, { configuration: { "tls-redirect": "yes", hsts: "48h" } });
  const client = await TlsClient.connect(tlsPort);
  t.after(() => client.leave());
  const first = await client.ask("/small.txt");
  const replies = [
    first,
    await client.ask("/small.txt"),
    await client.ask("/small.txt", `If-None-Match: ${first.fields.get("etag")}\r\n`),
    await client.ask("/small.txt", "Range: bytes=1-2\r\n"),
    await client.ask("/missing"),
    await client.ask("/"),
  ];
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 304, 206, 404, 200],
  );
  for (const { fields, status } of replies) {
    assert.equal(fields.get("strict-transport-security"), "max-age=172800", `with ${status}`);
  }
});

test("hsts: nothing is said unless asked for", async (t) => {
  const { server, tlsPort } = await startTls(t);
  assert.equal((await visit(tlsPort)).fields.get("strict-transport-security"), undefined);
  const answer = await askPlainly(t, server.port, "GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\r\n\r\nsmall$/);
  assert.doesNotMatch(answer, /Strict-Transport-Security/i);
});

// ---- connections

for (const version of VERSIONS) {
  test(`${version}: a connection is kept, and requests that come together are answered in their order`, async (t) => {
    const { tlsPort } = await startTls(t);
    const client = await TlsClient.connect(tlsPort, { version });
    t.after(() => client.leave());
    for (let times = 0; times < 5; times += 1) assert.equal((await client.ask("/small.txt")).body.toString(), "small");

    const ranges = Array.from({ length: 60 }, (_, index) => index % 5);
    const heads = ranges.map((at) => `GET /small.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=${at}-${at}\r\n\r\n`);
    client.send(heads.join(""));
    for (const at of ranges) assert.equal((await client.readReply()).body.toString(), "small"[at]);

    // Cut anywhere, a record for each piece.
    const [head = ""] = heads;
    for (const byte of head) client.send(byte);
    assert.equal((await client.readReply()).body.toString(), "s");
    client.send("GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert.equal((await client.readReply()).fields.get("connection"), "close");
    await client.ended();
  });
}

test("a client that says close_notify after its request gets the whole answer", async (t) => {
  const { server, tlsPort } = await startTls(t);
  writeFileSync(`${server.top}/htdocs/large.bin`, LARGE.subarray(0, 3_000_000));
  const client = await TlsClient.connect(tlsPort);
  t.after(() => client.leave());
  client.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.socket.end();
  assert.equal((await client.readReply()).body.length, 3_000_000);
  await client.ended();
});

/** More than any buffer on the way holds. */
const LARGE = Buffer.from(Uint32Array.from({ length: 5 * 2 ** 20 }, (_, index) => Math.imul(index, 2654435761)).buffer);
/** Of TLS 1.2, where its type is not sealed (RFC 5246 §6.2.1). */
const ALERT = 21;
/** Of TLS 1.3: level, description, type, and the tag (RFC 8446 §5.2). */
const SEALED_ALERT_BYTES = 19;
const PAUSE_EVERY = 2 ** 20;
const PAUSE_MS = 20;

for (const version of VERSIONS) {
  test(`${version}: 20 MiB come byte for byte to a slow reader, and end with close_notify`, async (t) => {
    const { server, tlsPort } = await startTls(t);
    writeFileSync(`${server.top}/htdocs/large.bin`, LARGE);
    const wire = await tap(t, tlsPort);
    const { socket } = await TlsClient.connect(wire.port, { version });
    t.after(() => socket.destroy());
    socket.removeAllListeners("data");
    socket.write("GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const chunks: Buffer[] = [];
    let sincePause = 0;
    // The loop ends with 'end', and throws for any other ending.
    for await (const chunk of socket) {
      chunks.push(chunk);
      sincePause += chunk.length;
      if (sincePause < PAUSE_EVERY) continue;
      sincePause = 0;
      await setTimeout(PAUSE_MS);
    }
    const answer = Buffer.concat(chunks);
    const body = answer.subarray(answer.indexOf("\r\n\r\n") + 4);
    assert.equal(body.length, LARGE.length);
    assert.equal(sha256(body), sha256(LARGE));
    const last = wire.records().at(-1);
    assert.ok(last !== undefined);
    if (version === "TLSv1.2") assert.equal(last.type, ALERT);
    else assert.equal(last.length, SEALED_ALERT_BYTES);
  });
}

// ---- reload

interface Load {
  answered: number;
  closedAfterWord: number;
  readonly faults: string[];
}

/** Asks until `isOver`; on one connection, or on a new one each time. */
async function askOn(tlsPort: number, isKeeping: boolean, load: Load, isOver: () => boolean): Promise<void> {
  let client: TlsClient | undefined;
  while (!isOver()) {
    try {
      client ??= await TlsClient.connect(tlsPort);
      const { status, body, fields } = await client.ask("/small.txt", isKeeping ? "" : "Connection: close\r\n");
      if (status === 200 && body.toString() === "small") load.answered += 1;
      else load.faults.push(`answered ${status}`);
      if (fields.get("connection") !== "close") continue;
      if (isKeeping) load.closedAfterWord += 1;
      await client.ended();
    } catch (error) {
      load.faults.push(`${isKeeping ? "kept" : "fresh"}: ${errorCode(error) ?? error}`);
    }
    client?.leave();
    client = undefined;
  }
  client?.leave();
}

test("reloads under load lose no request, on kept connections and on new ones", { timeout: 180_000 }, async (t) => {
  const { server, tlsPort } = await startTls(t, { configuration: { processes: "2" } });
  const load: Load = { answered: 0, closedAfterWord: 0, faults: [] };
  let isOver = false;
  const clients = [true, true, false, false].map((isKeeping) => askOn(tlsPort, isKeeping, load, () => isOver));
  t.after(() => {
    isOver = true;
  });
  for (let times = 0; times < 5; times += 1) {
    const before = load.answered;
    await until("they are answered", () => load.answered > before + 20);
    const { status, standardError } = await server.run(t, "reload");
    assert.equal(status, 0, standardError);
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual(load.faults.slice(0, 5), []);
  assert.ok(load.closedAfterWord > 0, "no kept connection met a reload");
  t.diagnostic(`${load.answered} requests, ${load.closedAfterWord} kept connections handed over`);
});

test("TERM lets a transfer over TLS end", async (t) => {
  const { server, tlsPort } = await startTls(t);
  writeFileSync(`${server.top}/htdocs/large.bin`, LARGE);
  const client = await TlsClient.connect(tlsPort);
  t.after(() => client.leave());
  client.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(client.socket, "data");
  client.socket.pause();
  const idle = await TlsClient.connect(tlsPort);
  t.after(() => idle.leave());
  assert.equal((await idle.ask("/small.txt")).status, 200);
  const stopped = server.stop();
  await idle.ended();
  client.socket.resume();
  const { body } = await client.readReply();
  assert.equal(sha256(body), sha256(LARGE));
  assert.equal((await stopped).status, 0);
});

// ---- rights

/** An account that every system has. */
const DAEMON = "1";

test("a key that only root may read, and a server that is not root", { skip: onlyRoot }, async (t) => {
  const files = { "htdocs/small.txt": "small", "site.pem": readKey("p256.pem") };
  const prepare = (top: string): void => {
    for (const folder of [top, `${top}/htdocs`]) chmodSync(folder, 0o755);
    chmodSync(`${top}/site.pem`, 0o600);
  };
  const site = await startTls(t, { files, prepare, configuration: { "tls-cert": "site.pem", user: "daemon" } });
  const assertShows = async ({ server, tlsPort }: TlsServer, want: string): Promise<void> => {
    const { name, status } = await visit(tlsPort);
    assert.deepEqual([name, status], [want, 200]);
    for (const pid of server.workers) assert.equal(statusOf(pid).get("Uid")?.split("\t")[1], DAEMON);
  };
  await assertShows(site, "p256");

  const { top } = site.server;
  writeFileSync(`${top}/new`, readKey("rsa.pem"), { mode: 0o600 });
  renameSync(`${top}/new`, `${top}/site.pem`);
  assert.equal((await site.server.run(t, "reload")).status, 0);
  await assertShows(site, "rsa");
});
