// Not in --quick: real sockets of every kind.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { PeerAddress } from "../../src/base/endpoint.ts";
import { milliseconds } from "../../src/base/units.ts";
import { clientContext } from "../../src/tls/tls-context.ts";
import { SocketTransport } from "../../src/transport/socket-transport.ts";
import type { BackendTls } from "../../src/tunnel/backend.ts";
import { type TunnelCounts, Tunnels } from "../../src/tunnel/tunnels.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testTlsRules } from "../support/transports.ts";
import { until } from "../support/until.ts";

const LONG = 20_000;
const QUIET = 1000;

interface RigOptions {
  readonly maxConnections?: number;
  readonly idleTimeout?: number;
  readonly patience?: number;
  /** `refusing`: nobody listens. `silent`: it is to speak TLS, and never begins to. */
  readonly backend?: "echo" | "refusing" | "silent";
}

interface Rig {
  readonly tunnels: Tunnels;
  readonly clock: FakeClock;
  /** What the backend has accepted. */
  readonly backs: readonly Socket[];
  readonly unreached: string[];
  readonly turnedAway: PeerAddress[];
  /** A client whose connection has been given to the tunnels. */
  readonly visit: (announcement?: string) => Promise<Client>;
}

/** What it has seen of its connection. */
interface Client {
  readonly socket: Socket;
  readonly peer: PeerAddress;
  readonly text: () => string;
  /** `end`, the code of an error, or nothing yet. */
  readonly fate: () => string;
}

async function openRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const { maxConnections = 10, idleTimeout = Number.POSITIVE_INFINITY, patience = LONG, backend = "echo" } = options;
  const backs: Socket[] = [];
  const back = createServer({ allowHalfOpen: true }, (socket) => {
    backs.push(socket.on("error", () => undefined));
    if (backend === "echo") socket.pipe(socket);
  });
  const port = await listen(t, back);
  if (backend === "refusing") await once(back.close(), "close");
  const front = createServer({ allowHalfOpen: true });
  const frontPort = await listen(t, front);
  const clock = new FakeClock();
  const unreached: string[] = [];
  const turnedAway: PeerAddress[] = [];
  const place = { kind: "tcp", host: "127.0.0.1", port } as const;
  const tunnels = new Tunnels({
    maxConnections,
    idleTimeout: milliseconds(idleTimeout),
    clock,
    pool: undefined,
    way: () => ({ places: [place], timeout: milliseconds(patience), tls: backend === "silent" ? SEALED : undefined }),
    onUnreached: (why, peer) => unreached.push(`${peer.port}: ${why}`),
    onRejected: (peer) => turnedAway.push(peer),
    onFault: assert.ifError,
  });
  t.after(() => {
    tunnels.destroyAll();
    tunnels.close();
    for (const socket of backs) socket.destroy();
  });
  const visit = async (announcement = ""): Promise<Client> => {
    const accepted = once(front, "connection") as Promise<[Socket]>;
    const client = watch(t, connect({ port: frontPort, host: "127.0.0.1", allowHalfOpen: true }));
    const [socket] = await accepted;
    const peer = { address: "127.0.0.1", port: socket.remotePort ?? 0 };
    tunnels.open(new SocketTransport(socket, peer), Buffer.from(announcement), peer);
    return { ...client, peer };
  };
  return { tunnels, clock, backs, unreached, turnedAway, visit };
}

const SEALED: BackendTls = {
  context: clientContext({ identity: undefined, authorities: undefined }, testTlsRules({ clientVerify: "optional" })),
  name: undefined,
  isVerified: false,
  alpn: [],
};

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function watch(t: TestContext, socket: Socket): Omit<Client, "peer"> {
  let [text, fate] = ["", ""];
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("end", () => {
    fate ||= "end";
  });
  socket.on("error", (error) => {
    fate ||= "code" in error ? String(error.code) : error.message;
  });
  t.after(() => socket.destroy());
  return { socket, text: () => text, fate: () => fate };
}

async function say({ socket, text }: Client, words: string): Promise<void> {
  const before = text().length;
  socket.write(words);
  await until(`${words} comes back`, () => text().length === before + words.length);
}

const countsOf = ({ tunnels }: Rig): readonly number[] => {
  const { open, opened, unreached, fromClients, fromBackend }: TunnelCounts = tunnels.counts;
  return [open, opened, unreached, fromClients, fromBackend];
};

/** Timers that keep the process alive. */
const countTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("Tunnels: what is counted, of those that are open and of those that have ended", async (t) => {
  const rig = await openRig(t);
  assert.deepEqual(countsOf(rig), [0, 0, 0, 0, 0]);
  const [one, two] = [await rig.visit("12345"), await rig.visit()];
  await until("both are joined", () => rig.tunnels.counts.opened === 2);
  await say(two, "abc");
  await until("the announcement comes back", () => one.text() === "12345");
  assert.deepEqual(countsOf(rig), [2, 2, 0, 3, 8]);
  one.socket.end();
  await until("one has ended", () => rig.tunnels.count === 1);
  assert.equal(one.fate(), "end");
  assert.deepEqual(countsOf(rig), [1, 2, 0, 3, 8]);
  two.socket.end("d");
  await until("the other has ended", () => rig.tunnels.count === 0);
  assert.deepEqual(countsOf(rig), [0, 2, 0, 4, 9]);
});

test("Tunnels: the backend gets the announcement, and then what the client said meanwhile", async (t) => {
  const rig = await openRig(t);
  const client = await rig.visit("PROXY UNKNOWN\r\n");
  client.socket.end("hello");
  await until("all came back", () => client.fate() === "end");
  assert.equal(client.text(), "PROXY UNKNOWN\r\nhello");
});

test("Tunnels: one more than there may be is cut, and told of, until there is room again", async (t) => {
  const rig = await openRig(t, { maxConnections: 1 });
  const first = await rig.visit();
  const second = await rig.visit();
  await until("the second is cut", () => second.fate() !== "");
  assert.deepEqual(rig.turnedAway, [second.peer]);
  await say(first, "still here");
  first.socket.end();
  await until("the first has gone", () => rig.tunnels.count === 0);
  await say(await rig.visit(), "hello");
  assert.deepEqual([rig.turnedAway.length, rig.backs.length], [1, 2]);
});

test("Tunnels: who waits for the backend counts too", async (t) => {
  const rig = await openRig(t, { maxConnections: 1, backend: "silent" });
  await rig.visit();
  await rig.visit();
  assert.deepEqual([rig.turnedAway.length, ...countsOf(rig)], [1, 1, 0, 0, 0, 0]);
});

test("Tunnels: a front that goes while the backend is being reached: that is given up", async (t) => {
  const rig = await openRig(t, { backend: "silent" });
  const client = await rig.visit();
  const back = await until("a handshake has begun", () => rig.backs[0]);
  const closed = once(back.resume(), "close");
  const drained = rig.tunnels.drain(false);
  client.socket.resetAndDestroy();
  await drained;
  back.end();
  await closed;
  assert.deepEqual(countsOf(rig), [0, 0, 0, 0, 0]);
  assert.deepEqual(rig.unreached, []);
});

test("Tunnels: a client that has ended its side before the backend was reached gets its answer", async (t) => {
  const rig = await openRig(t);
  const client = await rig.visit();
  client.socket.end("question");
  await until("it is answered", () => client.fate() === "end");
  assert.equal(client.text(), "question");
});

const unreachable: [backend: "refusing" | "silent", why: string][] = [
  ["refusing", "it refuses connections"],
  ["silent", "timeout"],
];
for (const [backend, why] of unreachable) {
  test(`Tunnels: ${why}: the front is cut`, async (t) => {
    const rig = await openRig(t, { backend, patience: 50 });
    const client = await rig.visit();
    await until("it is cut", () => client.fate() !== "");
    assert.deepEqual(rig.unreached, [`${client.peer.port}: ${why}`]);
    assert.deepEqual(countsOf(rig), [0, 0, 1, 0, 0]);
    await rig.tunnels.drain(false);
  });
}

test("Tunnels: idle connections are cut, others not", async (t) => {
  const rig = await openRig(t, { idleTimeout: 60_000 });
  const [idle, busy] = [await rig.visit(), await rig.visit()];
  await until("both are joined", () => rig.tunnels.counts.opened === 2);
  rig.clock.advance(60_000);
  await say(busy, "x");
  await until("the idle one is cut", () => idle.fate() !== "");
  await say(busy, "y");
  assert.equal(rig.tunnels.count, 1);
});

// ---- the end

test("Tunnels: drain without connections", async (t) => {
  const { tunnels } = await openRig(t);
  await tunnels.drain(false);
  await tunnels.drain(true);
});

test("Tunnels: drain(false) waits for all, however silent they are", async (t) => {
  const rig = await openRig(t);
  const [one, two] = [await rig.visit(), await rig.visit()];
  await until("both are joined", () => rig.tunnels.counts.opened === 2);
  let isDrained = false;
  const drained = rig.tunnels.drain(false).then(() => {
    isDrained = true;
  });
  rig.clock.advance(100 * QUIET);
  one.socket.end();
  await until("one has ended", () => rig.tunnels.count === 1);
  await turn();
  assert.deepEqual([isDrained, two.fate()], [false, ""]);
  two.socket.end();
  await drained;
  assert.equal(rig.tunnels.count, 0);
});

test("Tunnels: drain(true) ends in good order what is quiet, and lets what moves finish", async (t) => {
  const rig = await openRig(t);
  const [quiet, busy] = [await rig.visit(), await rig.visit()];
  await until("both are joined", () => rig.tunnels.counts.opened === 2);
  const patient = rig.tunnels.drain(false);
  rig.clock.advance(QUIET);
  await say(busy, "y");
  // The clock stands still: what moved just now does not get quiet.
  const drained = rig.tunnels.drain(true);
  await until("the quiet one is ended", () => quiet.fate() !== "");
  assert.equal(quiet.fate(), "end");
  quiet.socket.end();
  await until("it has gone", () => rig.tunnels.count === 1);
  await say(busy, "z");
  assert.equal(busy.fate(), "");
  await until("it has become quiet", () => {
    rig.clock.advance(QUIET);
    return busy.fate() !== "";
  });
  assert.equal(busy.fate(), "end");
  busy.socket.end();
  await Promise.all([patient, drained]);
});

test("Tunnels: drain(true) waits for who waits for the backend, and one that is not reached is no obstacle", async (t) => {
  const rig = await openRig(t, { backend: "silent", patience: 200 });
  const client = await rig.visit();
  await rig.tunnels.drain(true);
  assert.equal(rig.unreached.length, 1);
  await until("it is cut", () => client.fate() !== "");
});

test("Tunnels: drain can be called again when it is done", async (t) => {
  const rig = await openRig(t);
  for (let times = 0; times < 2; times += 1) {
    const client = await rig.visit();
    await say(client, "x");
    let isDrained = false;
    const drained = rig.tunnels.drain(false).then(() => {
      isDrained = true;
    });
    await turn();
    assert.equal(isDrained, false);
    client.socket.end();
    await drained;
  }
});

test("Tunnels: destroyAll cuts the joined and the waiting", async (t) => {
  const rig = await openRig(t);
  const joined = await rig.visit();
  await say(joined, "x");
  const waiting = await rig.visit();
  assert.equal(rig.tunnels.counts.opened, 1);
  const drained = rig.tunnels.drain(true);
  rig.tunnels.destroyAll();
  await drained;
  await until("both see it", () => joined.fate() !== "" && waiting.fate() !== "");
  assert.equal(joined.fate(), "ECONNRESET");
  assert.equal(rig.tunnels.count, 0);
  rig.tunnels.destroyAll();
});

test("Tunnels: a timer runs while there are connections, and no longer", async (t) => {
  const rig = await openRig(t);
  const before = countTimers();
  const client = await rig.visit();
  await say(client, "x");
  assert.equal(countTimers(), before + 1);
  client.socket.end();
  await until("it has gone", () => rig.tunnels.count === 0);
  await until("the timer has stopped", () => countTimers() === before);
  await say(await rig.visit(), "y");
  assert.equal(countTimers(), before + 1);
});

test("Tunnels: close stops the timer at once, also after a stop", async (t) => {
  const rig = await openRig(t);
  const before = countTimers();
  const client = await rig.visit();
  await say(client, "x");
  const drained = rig.tunnels.drain(true);
  assert.equal(countTimers(), before + 1);
  client.socket.end();
  await drained;
  rig.tunnels.close();
  assert.equal(countTimers(), before);
});

test("Tunnels: nothing of what waited for a backend that was not reached stays", async (t) => {
  const rig = await openRig(t, { backend: "refusing" });
  const before = countTimers();
  await rig.visit();
  await until("it is not reached", () => rig.unreached.length === 1);
  await until("the timer has stopped", () => countTimers() === before);
  assert.equal(rig.tunnels.count, 0);
});
