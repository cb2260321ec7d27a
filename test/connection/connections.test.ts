// Not in --quick: thousands of real connections.

/** All connections of a server, over real sockets: the limit, the end, and clients that behave badly. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { bytes } from "../../src/base/units.ts";
import { BufferPool } from "../../src/connection/buffer-pool.ts";
import type { ConnectionContext, ServingPhase } from "../../src/connection/connection-context.ts";
import { type ConnectionCounts, Connections } from "../../src/connection/connections.ts";
import type { ExchangeRecord } from "../../src/http/exchange.ts";
import { FieldBlocks } from "../../src/http/field-blocks.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";
import { echoPath, Gate, get, type Handler, LIMITS, response, textPlan } from "../support/connection-rig.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { listenHere } from "../support/listen-here.ts";
import { MemoryEvents } from "../support/memory-events.ts";
import { openSource } from "../support/open-source.ts";
import { latin1, RawClient } from "../support/raw-client.ts";
import { eachTransport } from "../support/transports.ts";

const transports = eachTransport();

/** One test for each transport. */
function onEach(name: string, run: (t: TestContext, choice: TransportChoice) => Promise<void>): void {
  for (const { kind, choice } of transports) test(`${name} (${kind})`, async (t) => run(t, await choice));
}

/** A server whose deadlines a test reaches by moving the clock; the sweep itself is real. */
interface Server {
  readonly connections: Connections;
  readonly clock: FakeClock;
  readonly context: ConnectionContext;
  readonly records: ExchangeRecord[];
  readonly faults: unknown[];
  readonly events: MemoryEvents;
  readonly port: number;
  phase: ServingPhase;
}

async function serve(
  t: TestContext,
  choice: TransportChoice,
  handler: Handler,
  limits: Partial<ConnectionCounts> = {},
): Promise<Server> {
  const clock = new FakeClock();
  const records: ExchangeRecord[] = [];
  const faults: unknown[] = [];
  const events = new MemoryEvents();
  const context: ConnectionContext = {
    fieldBlocks: new FieldBlocks(),
    service: {
      answer: handler,
      planRefusal: ({ status, reason }) => ({ ...textPlan(`${reason}\n`, status), reason }),
      record: (record) => records.push(record),
    },
    limits: LIMITS,
    clock,
    buffers: new BufferPool(),
    phase: () => server.phase,
    events,
    onFault: (fault) => faults.push(fault),
  };
  const connections = new Connections(context, { maxConnections: 10_000, connectionsPerClient: 0, ...limits });
  const anyPort = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const listener = await listenHere(anyPort, 511, (transport) => connections.accept(transport), choice);
  t.after(async () => {
    listener.close();
    connections.destroyAll();
    await connections.drain();
    connections.close();
  });
  assert.ok(listener.endpoint.kind === "tcp");
  const { port } = listener.endpoint;
  const server: Server = { connections, clock, context, records, faults, events, port, phase: "serving" };
  return server;
}

/** Waits, at most some seconds, for something that sockets or the sweep bring about. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`);
    await turn();
  }
}

/** A client of which no test expects an answer; all of 127.0.0.0/8 is this machine, so it may have any address of it. */
async function open(port: number, localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress, allowHalfOpen: true });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

const BUSY = response("too-many-connections\n", { status: "503 Service Unavailable", connection: "close" });
const FROM_CLIENT = response("too-many-from-client\n", { status: "503 Service Unavailable", connection: "close" });

// ---- the limit

onEach(
  "Connections: one over the limit is told so, and a place that becomes free is given again",
  async (t, choice) => {
    const server = await serve(t, choice, echoPath, { maxConnections: 2 });
    const first = await RawClient.connect(server.port);
    const second = await RawClient.connect(server.port);
    await until("two connections", () => server.connections.count === 2);

    const third = await RawClient.connect(server.port);
    third.send(Buffer.from(get("/")));
    assert.equal(latin1(await third.readToEnd()), BUSY);
    third.halfClose();
    assert.deepEqual(
      server.records.map(({ status, reason }) => [status, reason]),
      [[503, "too-many-connections"]],
    );

    first.send(Buffer.from(get("/")));
    await first.readHead();
    first.halfClose();
    await until("a free place", () => server.connections.count === 1);
    const fourth = await RawClient.connect(server.port);
    fourth.send(Buffer.from(get("/", "Connection: close")));
    assert.match(latin1(await fourth.readToEnd()), /^HTTP\/1\.1 200 /);
    for (const client of [second, third, fourth]) client.destroy();
  },
);

onEach(
  "Connections: each of 200 beyond the limit is answered once and has its line in the log, and events tell their number",
  async (t, choice) => {
    const server = await serve(t, choice, echoPath, { maxConnections: 1 });
    const first = await open(server.port);
    await until("the place is taken", () => server.connections.count === 1);
    const answers = Array.from({ length: 200 }, async () => {
      const client = await RawClient.connect(server.port);
      client.send(Buffer.from(get("/")));
      const answer = latin1(await client.readToEnd());
      client.destroy();
      return answer;
    });
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([BUSY]));
    assert.deepEqual(
      new Set(server.records.map(({ status, reason }) => `${status} ${reason}`)),
      new Set(["503 too-many-connections"]),
    );
    assert.equal(server.records.length, 200);
    server.clock.advance(10_000);
    await until("the end of the refusals", () => server.events.all.length > 1);
    assert.deepEqual(server.events.take(), [
      "warn: all 1 connections of this process are open (max-connections): answering further ones 503",
      "info: max-connections: connections are accepted again; answered 503 meanwhile: 200",
    ]);
    first.destroy();
  },
);

onEach("Connections: those turned away are closed by the sweep, and a drain waits for them", async (t, choice) => {
  const server = await serve(t, choice, echoPath, { maxConnections: 0 });
  const client = await open(server.port);
  client.resume();
  await once(client, "end");
  let isDrained = false;
  const drained = server.connections.drain().then(() => {
    isDrained = true;
  });
  await turn();
  assert.equal(isDrained, false);
  server.clock.advance(1_000);
  await drained;
  client.destroy();
});

// ---- the limit of one client

onEach(
  "Connections: one over a client's limit is told so, others are served, and its free place is given again",
  async (t, choice) => {
    const server = await serve(t, choice, echoPath, { connectionsPerClient: 2 });
    const first = await RawClient.connect(server.port);
    const second = await RawClient.connect(server.port);
    await until("two connections", () => server.connections.count === 2);

    const third = await RawClient.connect(server.port);
    assert.equal(latin1(await third.readToEnd()), FROM_CLIENT);
    const other = await open(server.port, "127.0.0.2");
    other.write(get("/other", "Connection: close"));
    assert.match(latin1(await once(other, "data").then(([data]) => data)), /^HTTP\/1\.1 200 /);
    assert.deepEqual(
      server.records.map(({ status, reason }) => [status, reason]),
      [
        [503, "too-many-from-client"],
        [200, undefined],
      ],
    );

    third.halfClose();
    first.halfClose();
    other.destroy();
    await until("only the second is left", () => server.connections.count === 1);
    const fourth = await RawClient.connect(server.port);
    fourth.send(Buffer.from(get("/", "Connection: close")));
    assert.match(latin1(await fourth.readToEnd()), /^HTTP\/1\.1 200 /);
    for (const client of [first, second, third, fourth]) client.destroy();
  },
);

onEach("Connections: one client beyond its limit takes no place from others", async (t, choice) => {
  const server = await serve(t, choice, echoPath, { connectionsPerClient: 1, maxConnections: 2 });
  const clients = await Promise.all(Array.from({ length: 40 }, () => open(server.port)));
  await until("all are answered", () => server.records.length === 39);
  const other = await open(server.port, "127.0.0.2");
  other.write(get("/other"));
  assert.match(latin1(await once(other, "data").then(([data]) => data)), /^HTTP\/1\.1 200 /);
  assert.equal(server.connections.count, 2);
  assert.deepEqual(new Set(server.records.slice(0, -1).map(({ reason }) => reason)), new Set(["too-many-from-client"]));
  assert.deepEqual(server.events.take(), [
    "warn: a client has all its 1 connections open (connections-per-client): answering further ones 503",
  ]);
  for (const client of [...clients, other]) client.destroy();
});

onEach("Connections: the limit of the whole server goes before that of one client", async (t, choice) => {
  const server = await serve(t, choice, echoPath, { connectionsPerClient: 1, maxConnections: 1 });
  const first = await open(server.port);
  await until("one connection", () => server.connections.count === 1);
  const second = await RawClient.connect(server.port);
  assert.equal(latin1(await second.readToEnd()), BUSY);
  for (const client of [first, second]) client.destroy();
});

onEach("Connections: clients of a Unix socket cannot be told apart, so none of them is limited", async (t, choice) => {
  const directory = mkdtempSync(join(tmpdir(), "comanche-connections-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const server = await serve(t, choice, echoPath, { connectionsPerClient: 1 });
  const path = join(directory, "socket");
  const listener = await listenHere(
    { kind: "unix", path },
    511,
    (transport) => server.connections.accept(transport),
    choice,
  );
  t.after(() => listener.close());
  const clients = [connect({ path }), connect({ path }), connect({ path })];
  for (const client of clients) {
    client.write(get("/"));
    assert.match(latin1(await once(client, "data").then(([data]) => data)), /^HTTP\/1\.1 200 /);
  }
  assert.equal(server.connections.count, 3);
  for (const client of clients) client.destroy();
});

// ---- the end

onEach("Connections: drain closes the idle, lets the busy finish, and resolves with the last", async (t, choice) => {
  const gate = new Gate();
  const server = await serve(t, choice, async (request, writer) => {
    if (request.head.path === "/slow") await gate.opened;
    await echoPath(request, writer);
  });
  const idle = await RawClient.connect(server.port);
  idle.send(Buffer.from(get("/")));
  await idle.readBytes(response("/").length);
  const busy = await RawClient.connect(server.port);
  busy.send(Buffer.from(get("/slow")));
  await until("a busy connection", () => server.connections.busyCount === 1);
  assert.equal(server.connections.count, 2);

  server.phase = "stopping";
  let isDrained = false;
  const drained = server.connections.drain().then(() => {
    isDrained = true;
  });
  assert.equal(latin1(await idle.readToEnd()), "");
  idle.halfClose();
  await until("the idle one has gone", () => server.connections.count === 1);
  assert.equal(isDrained, false);
  gate.open();
  assert.equal(latin1(await busy.readToEnd()), response("/slow", { connection: "close" }));
  busy.halfClose();
  await drained;
  assert.equal(server.connections.count, 0);
  idle.destroy();
  busy.destroy();
});

onEach("Connections: drain does not wait for ever for clients that keep their side open", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  const client = await open(server.port);
  await until("a connection", () => server.connections.count === 1);
  server.phase = "stopping";
  const drained = server.connections.drain();
  server.clock.advance(5_000);
  await drained;
  client.destroy();
});

onEach("Connections: one that is idle while another process takes over gets one more answer", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  const client = await RawClient.connect(server.port);
  client.send(Buffer.from(get("/")));
  await client.readBytes(response("/").length);
  server.phase = "handing-over";
  const drained = server.connections.drain();
  client.send(Buffer.from(get("/last")));
  assert.equal(latin1(await client.readToEnd()), response("/last", { connection: "close" }));
  client.halfClose();
  await drained;
  client.destroy();
});

onEach("Connections: a stop ends the waiting for a last request", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  const client = await RawClient.connect(server.port);
  client.send(Buffer.from(get("/")));
  await client.readBytes(response("/").length);
  server.phase = "handing-over";
  const handedOver = server.connections.drain();
  server.phase = "stopping";
  const stopped = server.connections.drain();
  assert.equal(latin1(await client.readToEnd()), "");
  client.halfClose();
  await Promise.all([handedOver, stopped]);
  client.destroy();
});

onEach(
  "Connections: what this process serves is out of date: one that stays idle is closed soon",
  async (t, choice) => {
    const server = await serve(t, choice, echoPath);
    const [idle, quick] = await Promise.all([RawClient.connect(server.port), RawClient.connect(server.port)]);
    for (const client of [idle, quick]) {
      client.send(Buffer.from(get("/")));
      await client.readBytes(response("/").length);
    }
    server.phase = "outdated";
    const drained = server.connections.drain();
    quick.send(Buffer.from(get("/last")));
    assert.equal(latin1(await quick.readToEnd()), response("/last", { connection: "close" }));
    server.clock.advance(1000);
    assert.equal(latin1(await idle.readToEnd()), "");
    for (const client of [idle, quick]) client.halfClose();
    await drained;
    for (const client of [idle, quick]) client.destroy();
  },
);

onEach("Connections: drain of nothing is done", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  await server.connections.drain();
});

onEach("Connections: who is accepted after a drain is waited for by the next", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  for (const path of ["/1", "/2"]) {
    const client = await open(server.port);
    await until("a connection", () => server.connections.count === 1);
    let isDrained = false;
    const drained = server.connections.drain().then(() => {
      isDrained = true;
    });
    server.phase = "handing-over";
    await turn();
    assert.equal(isDrained, false);
    client.end(get(path));
    await drained;
    assert.equal(server.connections.count, 0);
    server.phase = "serving";
  }
});

onEach("Connections: when all are cut, drain resolves after the last record", async (t, choice) => {
  const body = Buffer.alloc(20_000_000);
  const server = await serve(t, choice, async (_, writer) => {
    await writer.send({ ...textPlan("x"), body: { kind: "bytes", bytes: body } });
  });
  const clients = [await open(server.port), await open(server.port), await open(server.port)];
  for (const client of clients) client.pause().write(get("/"));
  await until("all are busy", () => server.connections.busyCount === 3);
  const drained = server.connections.drain();
  server.connections.destroyAll();
  await drained;
  assert.deepEqual(
    server.records.map(({ outcome }) => outcome === "sent"),
    [false, false, false],
  );
  for (const client of clients) client.destroy();
});

// ---- clients

onEach("Connections: 1,000 clients that send half a head and vanish leave nothing behind", async (t, choice) => {
  const server = await serve(t, choice, () => assert.fail("no handler may see this"));
  for (let round = 0; round < 10; round += 1) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => open(server.port)));
    for (const [index, client] of clients.entries()) {
      client.write("GET / HTTP/1.1\r\nHost: exam");
      if (index % 2 === 0) client.destroySoon();
      else client.resetAndDestroy();
    }
  }
  await until("nobody is left", () => server.connections.count === 0);
  assert.deepEqual(server.faults, []);
});

onEach(
  "Connections: slow readers of a large body share its one copy, and are cut at send-timeout",
  async (t, choice) => {
    const size = 20 * 1024 * 1024;
    const body = Buffer.alloc(size, "x");
    const server = await serve(t, choice, async (_, writer) => {
      await writer.send({ ...textPlan("x"), body: { kind: "bytes", bytes: body } });
    });
    const before = process.memoryUsage().arrayBuffers;
    const clients = await Promise.all(Array.from({ length: 8 }, () => open(server.port)));
    for (const client of clients) client.pause().write(get("/"));
    await until("all are being answered", () => server.connections.busyCount === 8);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < size / 2, `grown: ${grown}`);

    server.clock.advance(LIMITS.sendTimeout);
    await until("all are cut", () => server.connections.count === 0);
    assert.deepEqual(
      new Set(server.records.map(({ outcome, reason }) => `${outcome === "sent"} ${reason}`)),
      new Set(["false send-timeout"]),
    );
    assert.equal(server.records.length, 8);
    for (const { bodyBytes } of server.records) assert.ok(bodyBytes > 0 && bodyBytes < size, `bodyBytes: ${bodyBytes}`);
    for (const client of clients) client.destroy();
  },
);

onEach("Connections: a request that arrived while the process stood still is answered", async (t, choice) => {
  const server = await serve(t, choice, echoPath);
  const client = await RawClient.connect(server.port);
  client.send(Buffer.from(get("/1")));
  assert.equal(latin1(await client.readBytes(response("/1").length)), response("/1"));
  client.send(Buffer.from(get("/2")));
  await Promise.resolve();
  // The sweep is due when the loop goes on, and so is the request.
  server.clock.advance(LIMITS.idleTimeout + 1_000);
  const stood = performance.now();
  while (performance.now() < stood + 300);
  const date = "Fri, 15 Mar 2024 10:30:04 GMT";
  assert.equal(latin1(await client.readBytes(response("/2").length)), response("/2", { date }));
});

onEach("Connections: a client that resets in the middle of an answer", async (t, choice) => {
  const body = Buffer.alloc(20_000_000);
  const server = await serve(t, choice, async (_, writer) => {
    await writer.send({ ...textPlan("x"), body: { kind: "bytes", bytes: body } });
  });
  const client = await open(server.port);
  client.write(get("/"));
  await once(client, "data");
  client.resetAndDestroy();
  await until("nobody is left", () => server.connections.count === 0);
  assert.deepEqual(
    server.records.map(({ outcome }) => outcome === "sent"),
    [false],
  );
  assert.deepEqual(server.faults, []);
});

onEach(
  "Connections: clients that reset in the middle of a file: each descriptor is released, each answer recorded once",
  async (t, choice) => {
    const directory = mkdtempSync(join(tmpdir(), "comanche-connections-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "file");
    writeFileSync(path, Buffer.alloc(20_000_000));
    let opened = 0;
    const server = await serve(t, choice, async (_, writer) => {
      const descriptor = openSync(path, "r");
      opened += 1;
      const source = openSource(descriptor);
      try {
        const body = { kind: "file", source, start: bytes(0), end: source.identity.size, isJoined: false } as const;
        await writer.send({ ...textPlan("x"), body });
      } finally {
        closeSync(descriptor);
        opened -= 1;
      }
    });
    const clients = await Promise.all(Array.from({ length: 50 }, () => open(server.port)));
    await Promise.all(
      clients.map(async (client, index) => {
        client.write(get("/"));
        await once(client, "data");
        if (index % 2 === 0) client.resetAndDestroy();
        else client.destroy();
      }),
    );
    await until("nobody is left", () => server.connections.count === 0);
    assert.equal(opened, 0);
    assert.deepEqual(
      server.records.map(({ outcome }) => outcome === "sent"),
      Array(50).fill(false),
    );
    assert.deepEqual(server.faults, []);
  },
);

onEach(
  "Connections: a client whose handler is still at work keeps its place, so that the limit bounds the work",
  async (t, choice) => {
    const gate = new Gate();
    const server = await serve(t, choice, async (request, writer) => {
      await gate.opened;
      await echoPath(request, writer);
    });
    const client = await open(server.port);
    client.write(get("/"));
    await until("a busy connection", () => server.connections.busyCount === 1);
    client.resetAndDestroy();
    await until("the client has disconnected", () => server.connections.busyCount === 0);
    assert.equal(server.connections.count, 1);
    gate.open();
    await until("nobody is left", () => server.connections.count === 0);
  },
);

// ---- faults of our own

onEach("Connections: a fault in a refusal ends that connection, and no other", async (t, choice) => {
  const server = await serve(t, choice, echoPath, { maxConnections: 1 });
  const fault = new Error("a fault of the planner");
  server.context.service.planRefusal = () => {
    throw fault;
  };
  const first = await RawClient.connect(server.port);
  await until("the first", () => server.connections.count === 1);
  const turnedAway = await open(server.port);
  turnedAway.resume();
  await once(turnedAway, "end");
  assert.deepEqual(server.faults, [fault]);

  first.send(Buffer.from(get("/")));
  assert.equal(latin1(await first.readBytes(response("/").length)), response("/"));
  first.send(Buffer.from("GET"));
  await until("a head is being read", () => server.connections.busyCount === 1);
  server.clock.advance(LIMITS.headerTimeout);
  await until("the sweep", () => server.connections.count === 0);
  assert.deepEqual(server.faults, [fault, fault]);
  first.destroy();
  turnedAway.destroy();
});
