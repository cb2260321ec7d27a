import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { StartupError } from "../../src/base/errors.ts";
import type { ListenAddress } from "../../src/config/listen-address.ts";
import { type Endpoint, formatEndpoint } from "../../src/net/endpoint.ts";
import type { ListenSocket } from "../../src/net/listener.ts";
import { Sockets, type SocketWish } from "../../src/process/sockets.ts";
import { makeTree } from "../support/file-tree.ts";

const here: ListenAddress = { kind: "ip", family: 4, address: "127.0.0.1" };
const there: ListenAddress = { kind: "ip", family: 4, address: "127.0.0.2" };
const free: SocketWish = { address: [here], port: 0, tlsPort: 0, socketMode: 0o600 };

function openSockets(t: TestContext): Sockets {
  const sockets = new Sockets();
  t.after(() => sockets.close());
  return sockets;
}

type TcpEndpoint = Extract<Endpoint, { kind: "tcp" }>;

function tcpOf({ endpoint }: ListenSocket): TcpEndpoint {
  assert.ok(endpoint?.kind === "tcp");
  return endpoint;
}

/** As `127.0.0.1` without TLS and `127.0.0.1 TLS` with it. */
function describe({ endpoint }: ListenSocket): string {
  if (endpoint?.kind !== "tcp") return endpoint === undefined ? "inherited" : formatEndpoint(endpoint);
  return endpoint.isTls === true ? `${endpoint.host} TLS` : endpoint.host;
}

async function take(sockets: Sockets, wish: SocketWish): Promise<readonly ListenSocket[]> {
  const choice = await sockets.choose(wish);
  choice.take();
  return choice.sockets;
}

test("Sockets: without a TLS port there is no TLS", async (t) => {
  const bound = await take(openSockets(t), { ...free, tlsPort: undefined });
  assert.deepEqual(bound.map(describe), ["127.0.0.1"]);
});

test("Sockets: each address a second time with TLS, on a free port of its own", async (t) => {
  const bound = await take(openSockets(t), { ...free, address: [here, there] });
  assert.deepEqual(bound.map(describe), ["127.0.0.1", "127.0.0.2", "127.0.0.1 TLS", "127.0.0.2 TLS"]);
  const [plain, otherPlain, tls, otherTls] = bound.map((socket) => tcpOf(socket).port);
  assert.equal(otherPlain, plain);
  assert.equal(otherTls, tls);
  assert.notEqual(tls, plain);
});

test("Sockets: a Unix socket stays plain", async (t) => {
  const path: ListenAddress = { kind: "unix", path: makeTree(t) };
  const unix = { ...path, path: `${path.path}/socket` as typeof path.path };
  const bound = await take(openSockets(t), { ...free, address: [unix, here] });
  assert.deepEqual(bound.map(describe), [`unix:${unix.path}`, "127.0.0.1", "127.0.0.1 TLS"]);
});

test("Sockets: the same wish keeps the sockets, free ports and all", async (t) => {
  const sockets = openSockets(t);
  assert.deepEqual(await take(sockets, free), await take(sockets, free));
});

test("Sockets: TLS comes and goes, and the plain socket stays", async (t) => {
  const sockets = openSockets(t);
  const [plain] = await take(sockets, { ...free, tlsPort: undefined });
  const both = await take(sockets, free);
  assert.deepEqual(both.map(describe), ["127.0.0.1", "127.0.0.1 TLS"]);
  assert.equal(both[0], plain);
  assert.deepEqual(await take(sockets, { ...free, tlsPort: undefined }), [plain]);
  // What was let go can be bound again.
  const again = both[1] === undefined ? 0 : tcpOf(both[1]).port;
  assert.equal((await take(sockets, { ...free, tlsPort: again })).length, 2);
});

test("Sockets: what was spoken on a port may change, and the socket stays bound", async (t) => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  const sockets = openSockets(t);
  const [plain] = await take(sockets, { ...free, port, tlsPort: undefined });
  assert.ok(plain !== undefined);
  const [other, tls] = await take(sockets, { ...free, tlsPort: port });
  assert.equal(tls?.descriptor, plain.descriptor);
  assert.deepEqual(
    [other, tls].map((each) => each && describe(each)),
    ["127.0.0.1", "127.0.0.1 TLS"],
  );
  const [again] = await take(sockets, { ...free, port, tlsPort: undefined });
  assert.equal(again?.descriptor, plain.descriptor);
  assert.equal(again && describe(again), "127.0.0.1");
});

test("Sockets: a TLS port that is taken changes nothing", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const sockets = openSockets(t);
  const before = await take(sockets, { ...free, tlsPort: undefined });
  await assert.rejects(sockets.choose({ ...free, address: [here, there], tlsPort: port }), (error) => {
    assert.ok(error instanceof StartupError);
    assert.match(error.message, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use`));
    return true;
  });
  assert.deepEqual(await take(sockets, { ...free, tlsPort: undefined }), before);
});

test("Sockets: what is given up is free again", async (t) => {
  const choice = await openSockets(t).choose(free);
  const [, tls] = choice.sockets;
  assert.ok(tls !== undefined);
  choice.giveUp();
  const bound = await take(openSockets(t), { ...free, tlsPort: tcpOf(tls).port });
  assert.equal(bound.length, 2);
});

test("Sockets: those of a service manager are taken as they are, and the one named https speaks TLS", async () => {
  const activated = [
    { descriptor: 3, name: "http" },
    { descriptor: 4, name: "https" },
  ];
  const { sockets, notices } = await new Sockets(activated).choose(free);
  assert.deepEqual(sockets, [
    { descriptor: 3, endpoint: undefined },
    { descriptor: 4, endpoint: undefined, isTls: true },
  ]);
  assert.equal(notices.length, 1);
});

const disagreements: [name: string, socketName: string, tlsPort: number | undefined, want: RegExp][] = [
  ["TLS is asked for, and no socket is for it", "http", 443, /^tls-port is set, and the service manager passes no/],
  ["a socket is for TLS, and it is not asked for", "https", undefined, /^the service manager passes a socket with the/],
];
for (const [name, socketName, tlsPort, message] of disagreements) {
  test(`Sockets of a service manager: ${name}`, async () => {
    const sockets = new Sockets([{ descriptor: 3, name: socketName }]);
    await assert.rejects(sockets.choose({ ...free, tlsPort }), { name: "StartupError", message });
  });
}
