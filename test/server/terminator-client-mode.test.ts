/**
 * `comanche tls --client`: plain bytes come in, and the backend is spoken to with TLS.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { Backend } from "../support/terminator-backend.ts";
import { call } from "../support/terminator-caller.ts";
import { type ComancheTerminator, printed, startComanche } from "../support/terminator-comanche.ts";
import { HeldEnd } from "../support/terminator-end.ts";
import { keyPath, readKey } from "../support/tls-client.ts";

interface TlsBackend {
  readonly server: Server;
  readonly port: number;
}

async function startTlsBackend(t: TestContext, pem: string, options: TlsOptions = {}): Promise<TlsBackend> {
  const identity = { cert: readKey(pem), key: readKey(pem) };
  const server = createServer({ ...identity, ...options, allowHalfOpen: true }).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => undefined);
  await once(server, "listening");
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

function startClient(
  t: TestContext,
  { port }: { readonly port: number },
  flags: readonly string[] = [],
  host = "127.0.0.1",
): Promise<ComancheTerminator> {
  return startComanche(t, { backend: { kind: "tcp", host, port }, pems: [] }, ["--client", ...flags]);
}

function callPlainly(t: TestContext, port: number): HeldEnd {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  t.after(() => socket.destroy());
  return new HeldEnd(socket);
}

async function nextOf(t: TestContext, { server }: TlsBackend): Promise<TLSSocket> {
  const [socket] = await once(server, "secureConnection", { signal: AbortSignal.timeout(10_000) });
  t.after(() => socket.destroy());
  return socket;
}

test("plain bytes come in, TLS goes to the backend, and both ways end for themselves", async (t) => {
  const backend = await startTlsBackend(t, "p256.pem");
  const { port, command } = await startClient(t, backend);
  await printed(command, new RegExp(`starts TLS at 127\\.0\\.0\\.1:${port} for 127\\.0\\.0\\.1,${backend.port}$`, "m"));
  const reached = nextOf(t, backend);
  const client = callPlainly(t, port);
  client.end("question");
  const socket = await reached;
  assert.equal(socket.getProtocol(), "TLSv1.3");
  const server = new HeldEnd(socket);
  assert.equal((await server.takeRest()).toString(), "question");
  server.end("a late answer");
  assert.equal((await client.takeRest()).toString(), "a late answer");
});

const VERIFIED: readonly (readonly [
  what: string,
  pem: string,
  ca: string | undefined,
  host: string,
  isReached: boolean,
])[] = [
  ["any certificate without backend-ca", "expired.pem", undefined, "127.0.0.1", true],
  ["one of that authority, for its address", "p256.pem", "ca.pem", "127.0.0.1", true],
  ["one of that authority, for its name", "p256.pem", "ca.pem", "localhost", true],
  ["one that has expired", "expired.pem", "ca.pem", "127.0.0.1", false],
  ["one of another authority", "p256.pem", "client-ca.pem", "127.0.0.1", false],
  ["one for another name", "wildcard.pem", "ca.pem", "localhost", false],
];

for (const [what, pem, ca, host, isReached] of VERIFIED) {
  test(`backend-ca: ${what} is ${isReached ? "taken" : "refused"}`, async (t) => {
    const backend = await startTlsBackend(t, pem);
    const flags = ca === undefined ? [] : ["--backend-ca", keyPath(ca)];
    const { port, command } = await startClient(t, backend, flags, host);
    backend.server.on("secureConnection", (socket) => void socket.on("error", () => undefined).pipe(socket));
    const client = callPlainly(t, port);
    client.send("hello");
    if (isReached) assert.equal((await client.take(5)).toString(), "hello");
    else {
      await client.ending();
      assert.equal(client.arrived.length, 0);
      await printed(command, /127\.0\.0\.1.*cannot connect to the backend: .*certificate/);
    }
  });
}

test("the backend is asked for by its name, and sees the certificate that the PEM file holds", async (t) => {
  const backend = await startTlsBackend(t, "p256.pem", { requestCert: true, ca: readKey("client-ca.pem") });
  const { port } = await startComanche(
    t,
    { backend: { kind: "tcp", host: "localhost", port: backend.port }, pems: ["client.pem"] },
    ["--client"],
  );
  const reached = nextOf(t, backend);
  callPlainly(t, port);
  const socket = await reached;
  assert.equal("servername" in socket && socket.servername, "localhost");
  assert.equal(socket.authorized, true);
  assert.equal(socket.getPeerX509Certificate()?.subject, "CN=client one");
});

/** The first octet of a record (RFC 8446 §5.1). */
const HANDSHAKE = 22;

test("the backend is told ahead of the handshake who the client is", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port } = await startClient(t, backend, ["--write-proxy"]);
  const client = callPlainly(t, port);
  const server = await backend.next();
  const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${port}\r\n`;
  assert.equal((await server.take(line.length)).toString("latin1"), line);
  assert.equal((await server.take(1)).readUInt8(), HANDSHAKE);
});

test("proxy-proxy: the header in front of the plain bytes goes ahead of the handshake", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startClient(t, backend, ["--proxy-proxy"]);
  const line = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
  callPlainly(t, port).send(`${line}hello`);
  const server = await backend.next();
  assert.equal((await server.take(line.length)).toString("latin1"), line);
  assert.equal((await server.take(1)).readUInt8(), HANDSHAKE);

  const liar = callPlainly(t, port);
  liar.send("GET / HTTP/1.1\r\n\r\n");
  await liar.ending();
  await printed(command, /connection from 127\.0\.0\.1 closed: /);
  assert.equal(backend.count, 1);
});

test("a backend that speaks no TLS, or is not there: the client is cut", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startClient(t, backend);
  const first = callPlainly(t, port);
  (await backend.next()).end("HTTP/1.1 400 Bad Request\r\n\r\n");
  await first.ending();
  await printed(command, /127\.0\.0\.1.*cannot connect to the backend: it does not speak TLS/);
  await backend.close();
  const second = callPlainly(t, port);
  await second.ending();
  await printed(command, /127\.0\.0\.1.*cannot connect to the backend: it refuses connections/);
  assert.equal(first.arrived.length + second.arrived.length, 0);
});

test("two of them, one at each end, make a tunnel", async (t) => {
  const backend = await Backend.start(t, "echoes");
  const far = await startComanche(t, { backend: backend.place, clientCa: "client-ca.pem" });
  const near = await startComanche(
    t,
    { backend: { kind: "tcp", host: "127.0.0.1", port: far.port }, pems: ["client.pem"] },
    ["--client", "--backend-ca", keyPath("ca.pem")],
  );
  const client = callPlainly(t, near.port);
  client.end("hello");
  assert.equal((await client.takeRest()).toString(), "hello");
  await assert.rejects(async () => (await call(t, far.port)).end.take(1));
});
