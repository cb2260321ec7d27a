/**
 * Handshakes with a whole server: which certificate, version and protocol comes of them, and what becomes of clients that
 * begin none or do not end it. After each the server serves on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { connect, type SecureVersion } from "node:tls";
import { latin1, RawClient } from "../support/raw-client.ts";
import {
  clientHello,
  failure,
  keyPath,
  readKey,
  startTls,
  TlsClient,
  type TlsServer,
  visit,
} from "../support/tls-client.ts";
import { until } from "../support/until.ts";

const CERTIFICATES = ["p256.pem", "rsa.pem", "wildcard.pem"].map(keyPath).join(", ");

/** Long before a handshake takes too long. */
const SOON = { patience: 20_000 };

async function assertServesOn({ tlsPort, server }: TlsServer): Promise<void> {
  assert.equal((await visit(tlsPort)).body.toString(), "small");
  assert.equal(server.workers.length, 1);
}

function raw(t: TestContext, port: number): Promise<RawClient> {
  return RawClient.connect(port).then((client) => {
    t.after(() => client.destroy());
    return client;
  });
}

/** @param began  a moment before the limit of one second began; the default would be 10 s */
async function assertCut(client: RawClient, began: number): Promise<void> {
  await until("the server has closed", () => client.ended);
  const took = performance.now() - began;
  assert.ok(took > 900 && took < 9500, `${took} ms`);
}

// ---- by name

const NAMES: readonly [what: string, servername: string | undefined, want: string, strictly: string][] = [
  ["one that is in a certificate", "localhost", "p256", "p256"],
  ["another one of the same certificate", "a.test", "p256", "p256"],
  ["in upper case", "A.TEST", "p256", "p256"],
  ["one label for the wildcard", "www.wild.test", "wildcard", "wildcard"],
  ["one label for the wildcard, in upper case", "WWW.Wild.TEST", "wildcard", "wildcard"],
  ["two labels for the wildcard", "a.b.wild.test", "p256", "cut"],
  ["no label for the wildcard", "wild.test", "p256", "cut"],
  ["an unknown one", "unknown.test", "p256", "cut"],
  ["none", undefined, "p256", "p256"],
];

for (const isStrict of [false, true]) {
  test(`server names: which certificate is shown${isStrict ? ", with tls-sni-strict" : ""}`, async (t) => {
    const configuration = { "tls-cert": CERTIFICATES, "tls-sni-strict": isStrict ? "yes" : "no" };
    const site = await startTls(t, { configuration });
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      for (const [what, servername, loosely, strictly] of NAMES) {
        await t.test(`${version}: ${what}`, async () => {
          const want = isStrict ? strictly : loosely;
          const options = { version, ...(servername === undefined ? {} : { servername }) };
          if (want === "cut") {
            assert.match(await failure(site.tlsPort, options), /^ERR_SSL_.*UNRECOGNIZED_NAME$/);
          } else {
            const { name, isTrusted, status } = await visit(site.tlsPort, options);
            assert.deepEqual([name, isTrusted, status], [want, true, 200]);
          }
        });
      }
    }
    await assertServesOn(site);
  });
}

test("server names: a ClientHello in any number of records gets the certificate it asks for", async (t) => {
  const site = await startTls(t, { configuration: { "tls-cert": CERTIFICATES } });
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const size of [1, 4, 100]) {
      assert.equal(await nameInRecords(t, site.tlsPort, version, size), "wildcard", `${version}, ${size} bytes each`);
    }
  }
  const client = await raw(t, site.tlsPort);
  client.send(Buffer.from([0x16, 3, 1, 0, 3, 1, 0, 1, 0x16, 3, 1, 0, 0]));
  assert.equal(latin1(await client.readToEnd()), "\x15\x03\x03\x00\x02\x02\x0a");
  await until("the log tells why", () => /failed: an empty handshake record$/m.test(site.server.events));
  await assertServesOn(site);
});

/** The common name of the certificate for www.wild.test. @param size  of the records that the ClientHello comes in */
async function nameInRecords(
  t: TestContext,
  port: number,
  version: SecureVersion,
  size: number,
): Promise<string | undefined> {
  const below = connectTcp(port, "127.0.0.1");
  t.after(() => below.destroy());
  let isFirst = true;
  const carrier = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      below.write(isFirst ? splitRecord(chunk, size) : chunk, done);
      isFirst = false;
    },
  });
  below.on("data", (chunk) => carrier.push(chunk));
  const client = connect({
    socket: carrier,
    servername: "www.wild.test",
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
  });
  await once(client, "secureConnect");
  return client.getPeerX509Certificate()?.subject.replace("CN=", "");
}

function splitRecord(record: Buffer, size: number): Buffer {
  const content = record.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size);
    parts.push(record.subarray(0, 3), Buffer.of(part.length >> 8, part.length & 0xff), part);
  }
  return Buffer.concat(parts);
}

test("server names: the log tells of one that no certificate is for", async (t) => {
  const { tlsPort, server } = await startTls(t, { configuration: { "tls-sni-strict": "yes" } });
  await failure(tlsPort, { servername: "unknown.test" });
  await until("there is a line", () => /TLS handshake/.test(server.events));
  assert.match(server.events, /TLS handshake with 127\.0\.0\.1 failed: no certificate for the SNI name$/m);
});

test("server names: a folder of certificates is chosen from in the same way", async (t) => {
  const configuration = { "tls-cert": keyPath("rsa.pem"), "tls-dir": "certificates" };
  const files = {
    "htdocs/small.txt": "small",
    "certificates/w.pem": readKey("wildcard.pem"),
    "certificates/README": "x",
  };
  const { tlsPort } = await startTls(t, { files, configuration });
  assert.equal((await visit(tlsPort, { servername: "www.wild.test" })).name, "wildcard");
  assert.equal((await visit(tlsPort, { servername: "unknown.test" })).name, "rsa");
});

// ---- what is agreed on

const PROTOCOL_ALERT = "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION";
const VERSIONS: readonly [minimum: string, version: SecureVersion, want: string][] = [
  ["1.2", "TLSv1.1", PROTOCOL_ALERT],
  ["1.2", "TLSv1.2", "p256 answers 200"],
  ["1.2", "TLSv1.3", "p256 answers 200"],
  ["1.3", "TLSv1.1", PROTOCOL_ALERT],
  ["1.3", "TLSv1.2", PROTOCOL_ALERT],
  ["1.3", "TLSv1.3", "p256 answers 200"],
];

for (const minimum of ["1.2", "1.3"]) {
  test(`tls-min-version = ${minimum}`, async (t) => {
    const site = await startTls(t, { configuration: { "tls-min-version": minimum } });
    for (const [, version, want] of VERSIONS.filter(([of]) => of === minimum)) {
      await t.test(`${version}: ${want}`, async () => assert.equal(await failure(site.tlsPort, { version }), want));
    }
    assert.equal((await visit(site.tlsPort)).version, "TLSv1.3");
    await assertServesOn(site);
  });
}

test("application protocols: http/1.1, else http/1.0 is agreed on, and a client that has others alone is refused", async (t) => {
  const site = await startTls(t);
  assert.equal((await visit(site.tlsPort, { alpn: ["http/1.1"] })).alpn, "http/1.1");
  assert.equal((await visit(site.tlsPort, { alpn: ["h2", "http/1.1"] })).alpn, "http/1.1");
  assert.equal((await visit(site.tlsPort, { alpn: ["http/1.0", "http/1.1"] })).alpn, "http/1.1");
  const oldest = await visit(site.tlsPort, { alpn: ["http/1.0"] });
  assert.deepEqual([oldest.alpn, oldest.status], ["http/1.0", 200]);
  assert.equal((await visit(site.tlsPort)).alpn, false);
  assert.equal(await failure(site.tlsPort, { alpn: ["h2"] }), "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
  await until("the log tells why", () => /no application protocol in common/.test(site.server.events));
  await assertServesOn(site);
});

// ---- what is no handshake

const PLAIN: readonly [name: string, request: string][] = [
  ["a request", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  // More than a socket reads at a time: the rest must not make the kernel reset the connection (RFC 9112 §9.6).
  ["a request with a body", `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`],
];

for (const [name, request] of PLAIN) {
  test(`plain HTTP on the TLS port is answered 400, in plain text: ${name}`, async (t) => {
    const site = await startTls(t);
    const client = await raw(t, site.tlsPort);
    client.send(Buffer.from(request));
    const [head = "", body = ""] = latin1(await client.readToEnd()).split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(head, /^Content-Type: text\/plain; charset=utf-8\r?$/m);
    assert.match(head, /^Connection: close\r?$/m);
    assert.equal(Number(/^Content-Length: (\d+)\r?$/m.exec(head)?.[1]), body.length);
    assert.match(body, /https:\/\//);
    await until("the log tells why", () => /127\.0\.0\.1 failed: plain HTTP on a TLS port/.test(site.server.events));
    await assertServesOn(site);
  });
}

const HANDSHAKE_HEAD = [0x16, 0x03, 0x01];
/** With a time limit that is far away. */
const CUT_AT_ONCE: readonly [name: string, bytes: Uint8Array, why: RegExp][] = [
  ["garbage", Buffer.from("\0\x01\x02garbage\r\n\r\n"), /no TLS handshake/],
  ["SSH", Buffer.from("ssh-2.0-x\r\n"), /no TLS handshake/],
  ["a handshake record of garbage", Uint8Array.from([...HANDSHAKE_HEAD, 0, 5, 9, 9, 9, 9, 9]), /failed: /],
  ["a record that is too long", Uint8Array.from([...HANDSHAKE_HEAD, 0xff, 0xff, ...Array(600).fill(1)]), /failed: /],
  ["a ClientHello that is too long", Uint8Array.from([...HANDSHAKE_HEAD, 0, 5, 1, 0xff, 0xff, 0xff, 3]), /failed: /],
  ["an alert", Uint8Array.from([0x15, 3, 3, 0, 2, 2, 0x28]), /no TLS handshake/],
];

for (const [name, bytes, why] of CUT_AT_ONCE) {
  test(`bad input is cut at once: ${name}`, async (t) => {
    const site = await startTls(t, { configuration: { "tls-handshake-timeout": "60s" } });
    const client = await raw(t, site.tlsPort);
    client.send(bytes);
    await until("the server has closed", () => client.ended, SOON);
    await until("the log tells why", () => /TLS handshake with 127\.0\.0\.1 /.test(site.server.events));
    const [line = ""] = site.server.events.split("\n").filter((text) => /TLS handshake/.test(text));
    assert.match(line, why);
    assert.doesNotMatch(line, /:error:|\.c:\d|routines/);
    await assertServesOn(site);
  });
}

test("silence is cut after tls-handshake-timeout, wherever it begins", async (t) => {
  const configuration = { "tls-handshake-timeout": "1s" };
  const site = await startTls(t, { configuration });
  const hello = await clientHello(t);
  const silences: readonly [name: string, bytes: Uint8Array][] = [
    ["from the start", Buffer.alloc(0)],
    ["after one byte", hello.subarray(0, 1)],
    ["after half a ClientHello", hello.subarray(0, hello.length >> 1)],
    ["after the ClientHello", hello],
  ];
  for (const [name, bytes] of silences) {
    await t.test(name, async (t) => {
      const began = performance.now();
      const client = await raw(t, site.tlsPort);
      if (bytes.length > 0) client.send(bytes);
      await assertCut(client, began);
      await assertServesOn(site);
    });
  }
  await t.test("bytes that drip do not put it off", async (t) => {
    const began = performance.now();
    const client = await raw(t, site.tlsPort);
    let at = 0;
    const drip = setInterval(() => client.send(hello.subarray(at, ++at)), 100);
    await assertCut(client, began).finally(() => clearInterval(drip));
  });
  await until("the log tells of both", () =>
    [/failed: the client sends nothing$/m, /failed: timeout$/m].every((line) => line.test(site.server.events)),
  );
  await assertServesOn(site);
});

/** At level debug the log also names clients that left without a byte. */
const ONE_AT_A_TIME = { "tls-handshakes": "1", "tls-handshake-timeout": "60s", "log-level": "debug" };

test("tls-handshakes = 1: one more that is under way is sent away, until the first has ended", async (t) => {
  const site = await startTls(t, { configuration: ONE_AT_A_TIME });
  const first = await raw(t, site.tlsPort);
  // Both connections come to the one worker in their order.
  assert.equal(await failure(site.tlsPort), "ECONNRESET");
  const told = /TLS handshake with 127\.0\.0\.1 failed: too many handshakes \(tls-handshakes\)$/m;
  await until("it is told", () => told.test(site.server.events));
  first.destroy();
  await until("the first is forgotten", () => /: closed without having sent anything$/m.test(site.server.events), SOON);
  await assertServesOn(site);
  // Those that are done do not count.
  for (let times = 0; times < 3; times += 1) {
    const client = await TlsClient.connect(site.tlsPort);
    t.after(() => client.leave());
    assert.equal((await client.ask("/small.txt")).status, 200);
  }
});

test("tls-handshakes = 1: a client that ends its side in the middle of a handshake frees its place at once", async (t) => {
  const site = await startTls(t, { configuration: ONE_AT_A_TIME });
  const hello = await clientHello(t);
  const ends: readonly [name: string, bytes: Uint8Array, answer: number][] = [
    ["before it has said anything", Buffer.alloc(0), 0],
    ["after one byte", hello.subarray(0, 1), 0],
    ["after half a ClientHello", hello.subarray(0, hello.length >> 1), 0],
    ["after the ClientHello", hello, 0],
    ["after the server's answer has begun", hello, 1],
  ];
  const gone = /(?:failed: the client has disconnected|: closed without having sent anything)$/gm;
  const countGone = (): number => site.server.events.match(gone)?.length ?? 0;
  for (const [name, bytes, answer] of ends) {
    await t.test(name, async (t) => {
      const before = countGone();
      const client = await raw(t, site.tlsPort);
      if (bytes.length > 0) client.send(bytes);
      await client.readBytes(answer);
      // Only its own side: it would still read.
      client.halfClose();
      await until("it is forgotten", () => countGone() > before, SOON);
      await assertServesOn(site);
      await until("its connection is closed", () => client.ended, SOON);
    });
  }
  assert.equal(countGone(), ends.length);
});
