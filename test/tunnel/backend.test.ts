// Not in --quick: real sockets of every kind.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type ListenOptions, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from "node:tls";
import { Worker } from "node:worker_threads";
import { absolutePath } from "../../src/base/absolute-path.ts";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { milliseconds } from "../../src/base/units.ts";
import { readIdentity } from "../../src/tls/certificate.ts";
import { clientContext } from "../../src/tls/tls-context.ts";
import type { ClientMaterial, TlsIdentity } from "../../src/tls/tls-identity.ts";
import { type BackendTls, type BackendWay, explainBackendFault, reachBackend } from "../../src/tunnel/backend.ts";
import { readKey } from "../support/tls-client.ts";
import { testTlsRules } from "../support/transports.ts";
import { until } from "../support/until.ts";

const LONG = 20_000;
const SHORT = 100;
const NOTHING = new Uint8Array(0);

// ---- backends

/** @returns where it listens */
async function listen(t: TestContext, server: Server, where: ListenOptions = {}): Promise<Endpoint> {
  const sockets: Socket[] = [];
  // Also of a TLS server: what it makes of them ends with them.
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  const { path, host = "127.0.0.1" } = where;
  server.listen(path === undefined ? { port: 0, host } : { path });
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  if (path !== undefined) return { kind: "unix", path: absolutePath(path) };
  return { kind: "tcp", host, port: (server.address() as AddressInfo).port };
}

function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "comanche-backend-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "socket");
}

/** A port where nobody listens any more. */
async function closedPlace(): Promise<Endpoint> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return { kind: "tcp", host: "127.0.0.1", port };
}

/** A backend that says what came, in its own words. */
const echo = (word: string): Server =>
  createServer({ allowHalfOpen: true }, (socket) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => socket.end(`${word}: ${Buffer.concat(chunks)}`));
  });

/** A port with a backlog that is full, of a thread that accepts nobody. */
async function fullPlace(t: TestContext): Promise<Endpoint> {
  const worker = new Worker(
    `const { createServer } = require("node:net");
     const { parentPort } = require("node:worker_threads");
     const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const [port] = (await once(worker, "message")) as [number];
  const fillers = Array.from({ length: 6 }, () => new Socket().on("error", () => undefined).connect(port, "127.0.0.1"));
  t.after(async () => {
    for (const each of fillers) each.destroy();
    await worker.terminate();
  });
  await Promise.race(fillers.map((each) => once(each, "connect")));
  await turn();
  return { kind: "tcp", host: "127.0.0.1", port };
}

// ---- the way to them

type Outcome =
  | { readonly kind: "reached"; readonly socket: Socket }
  | { readonly kind: "failed"; readonly why: string };

interface Attempt {
  readonly giveUp: () => void;
  readonly all: readonly Outcome[];
  /** The first, which should be the only one. */
  readonly outcome: Promise<Outcome>;
}

interface AttemptOptions {
  readonly announcement?: Uint8Array;
  readonly patience?: number;
  readonly tls?: BackendTls;
}

function attempt(t: TestContext, places: readonly Endpoint[], options: AttemptOptions = {}): Attempt {
  const { announcement = NOTHING, patience = LONG, tls } = options;
  const way: BackendWay = { places, timeout: milliseconds(patience), tls };
  const all: Outcome[] = [];
  let settle: (outcome: Outcome) => void = () => undefined;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  const note = (one: Outcome): void => {
    all.push(one);
    settle(one);
  };
  const giveUp = reachBackend(way, announcement, undefined, {
    onReached: (stream) => {
      const carrier = stream.detach();
      assert.ok(carrier.kind === "socket");
      const { socket } = carrier;
      t.after(() => socket.destroy());
      note({ kind: "reached", socket: socket.on("error", () => undefined) });
    },
    onFailed: (why) => note({ kind: "failed", why }),
  });
  t.after(giveUp);
  return { giveUp, all, outcome };
}

async function reach(t: TestContext, places: readonly Endpoint[], options: AttemptOptions = {}): Promise<Socket> {
  const outcome = await attempt(t, places, options).outcome;
  assert.ok(outcome.kind === "reached", outcome.kind === "failed" ? outcome.why : "");
  return outcome.socket;
}

async function whyNot(t: TestContext, places: readonly Endpoint[], options: AttemptOptions = {}): Promise<string> {
  const { all, outcome } = attempt(t, places, options);
  const first = await outcome;
  await turn();
  assert.equal(all.length, 1);
  return first.kind === "failed" ? first.why : "reached";
}

/** Says so, ends its side, and reads until the backend ends too. */
async function ask(socket: Socket, question: string): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk)).resume();
  socket.end(question);
  await once(socket, "end");
  return Buffer.concat(chunks).toString();
}

/** TCP sockets of this process, connected or not. */
const countSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^TCP(Socket|Connect)Wrap$/.test(name)).length;

const othersClosed = (): Promise<true> => until("earlier tests have closed theirs", () => countSockets() === 0);

const first: { at: (t: TestContext) => ListenOptions; name: string }[] = [
  { name: "TCP", at: () => ({}) },
  { name: "a Unix socket", at: (t) => ({ path: socketPath(t) }) },
];
for (const { name, at } of first) {
  test(`reachBackend: ${name}: reached, and half-open ends are allowed`, async (t) => {
    const place = await listen(t, echo("one"), at(t));
    const socket = await reach(t, [place]);
    assert.equal(await ask(socket, "hello"), "one: hello");
  });

  test(`reachBackend: ${name}: the announcement comes first`, async (t) => {
    const place = await listen(t, echo("one"), at(t));
    const socket = await reach(t, [place], { announcement: Buffer.from("PROXY UNKNOWN\r\n") });
    assert.equal(await ask(socket, "hello"), "one: PROXY UNKNOWN\r\nhello");
  });
}

test("reachBackend: what the backend says at once is there to be read", async (t) => {
  const place = await listen(
    t,
    createServer((socket) => socket.end("welcome")),
  );
  const socket = await reach(t, [place]);
  for (let turns = 0; turns < 10; turns += 1) await turn();
  assert.equal(await ask(socket, ""), "welcome");
});

test("reachBackend: a second place where the first refuses", async (t) => {
  const [refusing, open] = [await closedPlace(), await listen(t, echo("second"))];
  assert.equal(await ask(await reach(t, [refusing, open]), "x"), "second: x");
});

test("reachBackend: the first place that answers, and no other", async (t) => {
  const [one, two] = [await listen(t, echo("one")), await listen(t, echo("two"))];
  assert.equal(await ask(await reach(t, [one, two]), "x"), "one: x");
});

const failures: [name: string, places: (t: TestContext) => Promise<Endpoint[]>, want: string][] = [
  ["the only place refuses", async () => [await closedPlace()], "it refuses connections"],
  [
    "all places refuse: what is said is of the last",
    async (t) => [await closedPlace(), { kind: "unix", path: absolutePath(socketPath(t)) }],
    "there is no such socket",
  ],
  ["its backlog is full", async (t) => [await fullPlace(t)], "timeout"],
];
for (const [name, places, want] of failures) {
  test(`reachBackend: not reached: ${name}`, async (t) => {
    await othersClosed();
    const all = await places(t);
    const before = countSockets();
    assert.equal(await whyNot(t, all, { patience: 500 }), want);
    await until("nothing is left open", () => countSockets() === before);
  });
}

test("reachBackend: who gives up is told nothing, and a socket that was connecting is closed", async (t) => {
  await othersClosed();
  const place = await fullPlace(t);
  const before = countSockets();
  const { giveUp, all } = attempt(t, [place], { patience: SHORT });
  await turn();
  assert.equal(countSockets(), before + 1);
  giveUp();
  await until("nothing is left open", () => countSockets() === before);
  // Beyond its patience: the clock of it has stopped too.
  await until("its time is over", afterMs(2 * SHORT));
  assert.deepEqual(all, []);
  giveUp();
});

function afterMs(time: number): () => boolean {
  const began = performance.now();
  return () => performance.now() - began > time;
}

test("reachBackend: given up before it has begun to connect", async (t) => {
  const place = await listen(t, echo("one"));
  await othersClosed();
  const { giveUp, all } = attempt(t, [place]);
  giveUp();
  await othersClosed();
  assert.deepEqual(all, []);
});

test("reachBackend: who gives up after it was reached keeps the socket", async (t) => {
  const place = await listen(t, echo("one"));
  const { giveUp, outcome } = attempt(t, [place]);
  const reached = await outcome;
  giveUp();
  assert.ok(reached.kind === "reached");
  assert.equal(await ask(reached.socket, "still"), "one: still");
});

// ---- TLS

const RULES = testTlsRules({ clientVerify: "optional" });

const NOBODY: ClientMaterial = { identity: undefined, authorities: undefined };
const VERIFIED: ClientMaterial = { identity: undefined, authorities: readKey("ca.pem") };

function sealed({ name, ...material }: ClientMaterial & { readonly name?: string }, rules = RULES): BackendTls {
  const isVerified = material.authorities !== undefined;
  return { context: clientContext(material, rules), name, isVerified, alpn: rules.alpn };
}

/** Says what it knows of the client, and what that said. */
const secureEcho = (certificate: string, options: TlsOptions = {}): Server =>
  createTlsServer(
    { cert: readKey(certificate), key: readKey(certificate), allowHalfOpen: true, ...options },
    introduce,
  );

function introduce(socket: TLSSocket): void {
  const name = "servername" in socket ? String(socket.servername) : "";
  const shown = socket.getPeerX509Certificate()?.subject ?? "nobody";
  const words = [name, socket.alpnProtocol, shown, socket.authorized].join(" ");
  socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("end", () => socket.end(`${words}: ${Buffer.concat(chunks)}`));
}

test("reachBackend: TLS: reached, asks for its name, and half-open ends are allowed", async (t) => {
  const place = await listen(t, secureEcho("p256.pem"));
  const socket = await reach(t, [place], { tls: sealed({ ...VERIFIED, name: "a.test" }) });
  assert.equal(await ask(socket, "hello"), "a.test false nobody false: hello");
});

test("reachBackend: TLS: a backend that has only an address is asked for no name", async (t) => {
  const place = await listen(t, secureEcho("p256.pem"));
  assert.match(await ask(await reach(t, [place], { tls: sealed(NOBODY) }), ""), /^false /);
});

test("reachBackend: TLS: protocols are offered", async (t) => {
  const place = await listen(t, secureEcho("p256.pem", { ALPNProtocols: ["http/1.1"] }));
  const tls = sealed(NOBODY, { ...RULES, alpn: ["h2", "http/1.1"] });
  assert.match(await ask(await reach(t, [place], { tls }), ""), /^false http\/1\.1 /);
});

test("reachBackend: TLS: a certificate is shown to a backend that asks for one", async (t) => {
  const place = await listen(t, secureEcho("p256.pem", { requestCert: true, ca: readKey("client-ca.pem") }));
  const tls = sealed({ ...VERIFIED, identity: identityFrom("client.pem"), name: "a.test" });
  assert.equal(await ask(await reach(t, [place], { tls }), "me"), "a.test false CN=client one true: me");
});

function identityFrom(name: string): TlsIdentity {
  const result = readIdentity(
    { certificate: { name, text: readKey(name) }, key: undefined, ocsp: undefined },
    Date.now(),
  );
  assert.ok(result.kind === "identity");
  return result.identity;
}

test("reachBackend: TLS: the announcement goes ahead of the handshake, in plain", async (t) => {
  const announcement = Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  let announced: string | undefined;
  const server = createServer({ allowHalfOpen: true }, async (plain) => {
    let head: Buffer | null = null;
    while (head === null) {
      await once(plain, "readable");
      head = plain.read(announcement.length);
    }
    announced = head.toString();
    const [cert, key] = [readKey("p256.pem"), readKey("p256.pem")];
    const secure = new TLSSocket(plain, { isServer: true, cert, key });
    introduce(secure);
  });
  const place = await listen(t, server);
  const tls = sealed({ ...VERIFIED, name: "localhost" });
  const socket = await reach(t, [place], { announcement, tls });
  assert.match(await ask(socket, "hello"), /: hello$/);
  assert.equal(announced, announcement.toString());
});

const NOT_ITS_NAME = "its certificate is not valid (ERR_TLS_CERT_ALTNAME_INVALID)";
const LOOPBACK_2 = { host: "127.0.0.2" };

const certificates: [
  name: string,
  backend: (t: TestContext) => { certificate: string; where?: ListenOptions; options?: TlsOptions },
  client: ClientMaterial & { readonly name?: string },
  want: string,
][] = [
  ["nobody looks at it", () => ({ certificate: "wildcard.pem" }), NOBODY, "reached"],
  ["nobody looks, and it has expired", () => ({ certificate: "expired.pem" }), NOBODY, "reached"],
  ["its name", () => ({ certificate: "p256.pem" }), { ...VERIFIED, name: "a.test" }, "reached"],
  ["a wildcard", () => ({ certificate: "wildcard.pem" }), { ...VERIFIED, name: "www.wild.test" }, "reached"],
  ["another name", () => ({ certificate: "p256.pem" }), { ...VERIFIED, name: "b.test" }, NOT_ITS_NAME],
  ["its address", () => ({ certificate: "p256.pem" }), VERIFIED, "reached"],
  ["another address", () => ({ certificate: "p256.pem", where: LOOPBACK_2 }), VERIFIED, NOT_ITS_NAME],
  ["no address", () => ({ certificate: "wildcard.pem" }), VERIFIED, NOT_ITS_NAME],
  [
    "a Unix socket has no name",
    (t) => ({ certificate: "wildcard.pem", where: { path: socketPath(t) } }),
    VERIFIED,
    "reached",
  ],
  [
    "another authority",
    () => ({ certificate: "p256.pem" }),
    { identity: undefined, authorities: readKey("client-ca.pem"), name: "a.test" },
    "its certificate is not valid (UNABLE_TO_GET_ISSUER_CERT_LOCALLY)",
  ],
  [
    "another authority, on a Unix socket",
    (t) => ({ certificate: "p256.pem", where: { path: socketPath(t) } }),
    { identity: undefined, authorities: readKey("client-ca.pem") },
    "its certificate is not valid (UNABLE_TO_GET_ISSUER_CERT_LOCALLY)",
  ],
  [
    "it has expired",
    () => ({ certificate: "expired.pem" }),
    { ...VERIFIED, name: "a.test" },
    "its certificate is not valid (CERT_HAS_EXPIRED)",
  ],
];
for (const [name, backend, client, want] of certificates) {
  test(`reachBackend: TLS: the backend's certificate: ${name}`, async (t) => {
    const { certificate, where = {}, options = {} } = backend(t);
    const place = await listen(t, secureEcho(certificate, options), where);
    assert.equal(await whyNot(t, [place], { tls: sealed(client) }), want);
  });
}

/** A fatal alert (RFC 8446 §6), as it stands on the wire. */
const alert = (description: number): Uint8Array => Uint8Array.of(0x15, 3, 3, 0, 2, 2, description);
const BAD_CERTIFICATE = 42;
const HANDSHAKE_FAILURE = 40;

const MORE_THAN_A_SOCKET_TAKES = Buffer.alloc(8 * 1024 * 1024);

const handshakes: [name: string, backend: (socket: Socket) => void, want: RegExp][] = [
  ["it says nothing", () => undefined, /^timeout$/],
  ["it speaks HTTP", (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"), /^it does not speak TLS$/],
  ["it ends its side", (socket) => socket.end(), /^it closed the connection$/],
  ["it closes", (socket) => socket.destroy(), /^it closed the connection$/],
  ["it resets", (socket) => socket.once("data", () => socket.resetAndDestroy()), /^it closed the connection$/],
  [
    "it does not like our certificate",
    (socket) => socket.write(alert(BAD_CERTIFICATE)),
    /^it aborted the handshake \(ERR_SSL_[\w/]*ALERT_BAD_CERTIFICATE\)$/,
  ],
  [
    "it does not like what we offer",
    (socket) => socket.write(alert(HANDSHAKE_FAILURE)),
    /^it aborted the handshake \(ERR_SSL_[\w/]*HANDSHAKE_FAILURE\)$/,
  ],
];
for (const [name, backend, want] of handshakes) {
  for (const announcement of [NOTHING, MORE_THAN_A_SOCKET_TAKES]) {
    test(`reachBackend: TLS: no handshake: ${name}, told ${announcement.length} bytes`, async (t) => {
      await othersClosed();
      let [accepted, closed] = [0, 0];
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        accepted += 1;
        socket.on("close", () => {
          closed += 1;
        });
        backend(socket);
        socket.resume();
      });
      const place = await listen(t, server);
      const patience = want.test("timeout") ? SHORT : LONG;
      assert.match(await whyNot(t, [place], { tls: sealed(NOBODY), patience, announcement }), want);
      // Those of the backend count too, as long as it does not close them.
      await until("our socket is closed", () => countSockets() === accepted - closed);
    });
  }
}

test("reachBackend: TLS: no version in common", async (t) => {
  const place = await listen(t, secureEcho("p256.pem", { maxVersion: "TLSv1.2" }));
  const tls = sealed(NOBODY, { ...RULES, minVersion: "TLSv1.3" });
  assert.match(await whyNot(t, [place], { tls }), /^it aborted the handshake \(\w*PROTOCOL_VERSION\)$/);
});

test("reachBackend: TLS: who gives up in a handshake is told nothing, and the backend sees the end", async (t) => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => void accepted.push(socket));
  const place = await listen(t, server);
  const { giveUp, all } = attempt(t, [place], { tls: sealed(NOBODY) });
  const socket = await until("it shakes hands", () => accepted.find(({ bytesRead }) => bytesRead > 0) ?? accepted[0]);
  socket.resume();
  giveUp();
  await once(socket, "close");
  assert.deepEqual(all, []);
});

// ---- words

const explained: [fault: unknown, want: string][] = [
  [fault("ECONNREFUSED"), "it refuses connections"],
  [fault("ECONNRESET"), "it closed the connection"],
  [fault("EPIPE"), "it closed the connection"],
  [fault("ETIMEDOUT"), "timeout"],
  [fault("EHOSTUNREACH"), "no route to host"],
  [fault("ENETUNREACH"), "no route to host"],
  [fault("ENOENT"), "there is no such socket"],
  [fault("EACCES"), "permission denied"],
  [fault("EMFILE"), "out of file descriptors"],
  [fault("ENFILE"), "out of file descriptors"],
  [fault("ERR_SSL_WRONG_VERSION_NUMBER"), "it does not speak TLS"],
  [fault("DEPTH_ZERO_SELF_SIGNED_CERT"), "its certificate is not valid (DEPTH_ZERO_SELF_SIGNED_CERT)"],
  [fault("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), "its certificate is not valid (UNABLE_TO_VERIFY_LEAF_SIGNATURE)"],
  [
    fault("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    "it aborted the handshake (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)",
  ],
  [fault("EADDRNOTAVAIL"), "EADDRNOTAVAIL"],
  [new Error("something else"), "Error: something else"],
  ["no error at all", "no error at all"],
];
for (const [cause, want] of explained) {
  test(`explainBackendFault: ${want}`, () => assert.equal(explainBackendFault(cause), want));
}

function fault(code: string): Error {
  return Object.assign(new Error("a fault"), { code });
}
