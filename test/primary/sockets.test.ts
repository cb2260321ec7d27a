import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type Endpoint, formatEndpoint } from "../../src/base/endpoint.ts";
import { StartupError } from "../../src/base/errors.ts";
import type { ListenAddress } from "../../src/config/listen-address.ts";
import { type ListenSpec, type SocketChoice, Sockets } from "../../src/primary/sockets.ts";
import type { ListenSocket, Purpose } from "../../src/transport/endpoint.ts";
import { makeTree } from "../support/file-tree.ts";
import { findFreePort } from "../support/free-port.ts";

const here: ListenAddress = { kind: "ip", family: 4, address: "127.0.0.1" };
const there: ListenAddress = { kind: "ip", family: 4, address: "127.0.0.2" };

/** Where the sites listen, and where terminators do. */
interface Wish {
  readonly address: readonly ListenAddress[];
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly terminators?: Readonly<Record<string, number>>;
}

const free: Wish = { address: [here], port: 0, tlsPort: 0 };

function choose(sockets: Sockets, { address, port, tlsPort, terminators = {} }: Wish): Promise<SocketChoice> {
  const onTcp = address.filter(({ kind }) => kind !== "unix");
  const wishes: ListenSpec[] = [{ purpose: { kind: "http" }, addresses: address, port }];
  if (tlsPort !== undefined) wishes.push({ purpose: { kind: "https" }, addresses: onTcp, port: tlsPort });
  for (const [name, each] of Object.entries(terminators))
    wishes.push({ purpose: { kind: "terminator", name }, addresses: [here], port: each });
  return sockets.choose(wishes, 0o600);
}

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

const SPOKEN: Readonly<Record<Purpose["kind"], string>> = { http: "", https: " TLS", terminator: " terminator" };

/** As `127.0.0.1` without TLS and `127.0.0.1 TLS` with it. */
function describe({ endpoint, purpose }: ListenSocket): string {
  if (endpoint?.kind !== "tcp") return endpoint === undefined ? "inherited" : formatEndpoint(endpoint);
  return `${endpoint.host}${SPOKEN[purpose.kind]}`;
}

async function take(sockets: Sockets, wish: Wish): Promise<readonly ListenSocket[]> {
  const choice = await choose(sockets, wish);
  choice.commit();
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
  assert.deepEqual(both[0], plain);
  assert.deepEqual(await take(sockets, { ...free, tlsPort: undefined }), [plain]);
  // What was let go can be bound again.
  const again = both[1] === undefined ? 0 : tcpOf(both[1]).port;
  assert.equal((await take(sockets, { ...free, tlsPort: again })).length, 2);
});

test("Sockets: what was spoken on a port may change, and the socket stays bound", async (t) => {
  const port = await findFreePort();
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

test("Sockets: each terminator has a socket of its own, and keeps it", async (t) => {
  const sockets = openSockets(t);
  const wish = { ...free, tlsPort: undefined, terminators: { a: 0, b: 0 } };
  const bound = await take(sockets, wish);
  assert.deepEqual(bound.map(describe), ["127.0.0.1", "127.0.0.1 terminator", "127.0.0.1 terminator"]);
  assert.equal(new Set(bound.map((socket) => tcpOf(socket).port)).size, 3);
  assert.deepEqual(await take(sockets, wish), bound);
});

test("Sockets: two terminators at one place are refused, and nothing is left bound", async (t) => {
  const port = await findFreePort();
  const twice = { ...free, tlsPort: undefined, terminators: { a: port, b: port } };
  await assert.rejects(choose(openSockets(t), twice), {
    message: `cannot listen on 127.0.0.1:${port} for [TLS terminator b]: it is for [TLS terminator a] already`,
  });
  assert.equal((await take(openSockets(t), { ...free, port, tlsPort: undefined })).length, 1);
});

test("Sockets: those of a service manager are for the sites, and a terminator binds its own", async (t) => {
  const sockets = new Sockets([{ descriptor: 3, name: "http" }]);
  t.after(() => sockets.close());
  const bound = await take(sockets, { ...free, tlsPort: undefined, terminators: { a: 0 } });
  assert.deepEqual(bound.map(describe), ["inherited", "127.0.0.1 terminator"]);
  await assert.rejects(choose(sockets, { ...free, address: [], tlsPort: undefined, terminators: { a: 0 } }), {
    message: /no site is served: a terminator binds its own sockets$/,
  });
});

test("Sockets: a TLS port that is taken changes nothing", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const sockets = openSockets(t);
  const before = await take(sockets, { ...free, tlsPort: undefined });
  await assert.rejects(choose(sockets, { ...free, address: [here, there], tlsPort: port }), (error) => {
    assert.ok(error instanceof StartupError);
    assert.match(error.message, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use`));
    return true;
  });
  assert.deepEqual(await take(sockets, { ...free, tlsPort: undefined }), before);
});

test("Sockets: what is given up is free again", async (t) => {
  const choice = await choose(openSockets(t), free);
  const [, tls] = choice.sockets;
  assert.ok(tls !== undefined);
  choice.cancel();
  const bound = await take(openSockets(t), { ...free, tlsPort: tcpOf(tls).port });
  assert.equal(bound.length, 2);
});

test("Sockets: those of a service manager are taken as they are, and the one named https speaks TLS", async () => {
  const activated = [
    { descriptor: 3, name: "http" },
    { descriptor: 4, name: "https" },
  ];
  const { sockets, notices } = await choose(new Sockets(activated), free);
  assert.deepEqual(sockets, [
    { descriptor: 3, endpoint: undefined, purpose: { kind: "http" } },
    { descriptor: 4, endpoint: undefined, purpose: { kind: "https" } },
  ]);
  assert.equal(notices.length, 1);
});

const disagreements: [name: string, socketName: string, tlsPort: number | undefined, want: RegExp][] = [
  ["TLS is asked for, and no socket is for it", "http", 443, /^tls-port is set, but the service manager passes no/],
  ["a socket is for TLS, and it is not asked for", "https", undefined, /^the service manager passes a socket named/],
];
for (const [name, socketName, tlsPort, message] of disagreements) {
  test(`Sockets of a service manager: ${name}`, async () => {
    const sockets = new Sockets([{ descriptor: 3, name: socketName }]);
    await assert.rejects(choose(sockets, { ...free, tlsPort }), { name: "StartupError", message });
  });
}
