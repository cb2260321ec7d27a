/** The transport over real sockets: what the connection relies on and Node decides. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { SOCKET_HIGH_WATER_MARK, SocketTransport } from "../../src/net/socket-transport.ts";
import type { TransportEvents } from "../../src/net/transport.ts";

/** Waits for what the other side does, by name. */
class Witness implements TransportEvents {
  received = "";
  readonly seen: string[] = [];
  #wake: () => void = () => undefined;

  onBytes(chunk: Buffer): void {
    this.received += chunk.toString("latin1");
    this.#note("bytes");
  }
  onEnd(): void {
    this.#note("end");
  }
  onDrained(): void {
    this.#note("drained");
  }
  onClosed(): void {
    this.#note("closed");
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #note(what: string): void {
    this.seen.push(what);
    this.#wake();
  }
}

interface Pair {
  readonly client: Socket;
  readonly socket: Socket;
  readonly transport: SocketTransport;
  readonly witness: Witness;
  readonly faults: unknown[];
}

async function openPair(t: TestContext, witness = new Witness()): Promise<Pair> {
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: SOCKET_HIGH_WATER_MARK });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const client = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  const transport = new SocketTransport(socket);
  const faults: unknown[] = [];
  transport.start(witness, (fault) => faults.push(fault));
  return { client, socket, transport, witness, faults };
}

async function readAll(client: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let got = 0; got < length; ) {
    const [chunk] = (await once(client, "data")) as [Buffer];
    chunks.push(chunk);
    got += chunk.length;
  }
  return Buffer.concat(chunks);
}

test("SocketTransport: what the kernel takes at once is taken: true, and nothing is unsent", async (t) => {
  const { client, transport } = await openPair(t);
  for (const size of [1, 1000, 60_000]) {
    assert.equal(transport.write(Buffer.alloc(size, "x")), true);
    assert.equal(transport.unsent, 0);
    assert.equal((await readAll(client, size)).length, size);
    assert.equal(transport.write(Buffer.from("ab"), Buffer.alloc(size, "x")), true);
    assert.equal((await readAll(client, size + 2)).toString("latin1"), `ab${"x".repeat(size)}`);
  }
});

test("SocketTransport: what waits is unsent, moves while the client reads, and drains once", async (t) => {
  const { client, transport, witness } = await openPair(t);
  const body = Buffer.alloc(30_000_000, "0123456789");
  assert.equal(transport.write(Buffer.from("head"), body), false);
  const { unsent } = transport;
  assert.ok(unsent > 10_000_000 && unsent < body.length, `unsent: ${unsent}`);

  const marks = new Set<number>();
  let got = 0;
  client.on("data", (chunk) => {
    got += chunk.length;
    marks.add(transport.unsent);
  });
  await witness.until(() => witness.seen.includes("drained"));
  assert.equal(transport.unsent, 0);
  assert.ok(marks.size > 3, "unsent moves long before the end");
  while (got < body.length + 4) await once(client, "data");
  assert.deepEqual(witness.seen, ["drained"]);
  assert.equal(transport.write(Buffer.from("more")), true);
});

test("SocketTransport: a small write behind a full kernel waits too, and drains", async (t) => {
  const { client, transport, witness } = await openPair(t);
  client.pause();
  const piece = Buffer.alloc(10_000);
  while (transport.write(piece));
  client.resume();
  await witness.until(() => witness.seen.includes("drained"));
  assert.equal(transport.unsent, 0);
});

test("SocketTransport: half-close by the client; we still answer, and then both sides are closed", async (t) => {
  const { client, transport, witness } = await openPair(t);
  client.end("request");
  await witness.until(() => witness.seen.includes("end"));
  assert.equal(witness.received, "request");
  assert.equal(transport.write(Buffer.from("answer")), true);
  assert.equal((await readAll(client, 6)).toString(), "answer");
  transport.end();
  await witness.until(() => witness.seen.includes("closed"));
  assert.deepEqual(witness.seen, ["bytes", "end", "closed"]);
});

test("SocketTransport: end closes our side alone", async (t) => {
  const { client, transport, witness } = await openPair(t);
  transport.end();
  client.resume();
  await once(client, "end");
  client.end("late");
  await witness.until(() => witness.seen.includes("closed"));
  assert.equal(witness.received, "late");
});

test("SocketTransport: paused, the client feels it; resumed, everything comes", async (t) => {
  const { client, transport, witness } = await openPair(t);
  transport.pause();
  let sent = 0;
  while (client.write(Buffer.alloc(1_000_000))) sent += 1;
  client.write(Buffer.alloc(20_000_000));
  assert.equal(witness.received, "");
  transport.resume();
  const total = (sent + 1) * 1_000_000 + 20_000_000;
  await witness.until(() => witness.received.length === total);
});

test("SocketTransport: a reset is a close, and a write after it is harmless", async (t) => {
  const { client, transport, witness } = await openPair(t);
  client.resetAndDestroy();
  await witness.until(() => witness.seen.includes("closed"));
  assert.equal(transport.write(Buffer.from("x")), false);
  transport.end();
  transport.destroy();
  transport.resume();
  assert.equal(transport.unsent, 0);
});

test("SocketTransport: destroyed with bytes waiting: closed, not drained", async (t) => {
  const { client, transport, witness } = await openPair(t);
  client.pause();
  assert.equal(transport.write(Buffer.alloc(30_000_000)), false);
  transport.destroy();
  assert.equal(transport.write(Buffer.from("x")), false);
  await witness.until(() => witness.seen.includes("closed"));
  assert.deepEqual(witness.seen, ["closed"]);
});

test("SocketTransport: what a handler of events throws cuts that connection and is told", async (t) => {
  const fault = new Error("a fault of ours");
  const witness = new Witness();
  const { client, faults } = await openPair(
    t,
    Object.assign(witness, {
      onBytes: () => {
        throw fault;
      },
    }),
  );
  client.write("x");
  await witness.until(() => witness.seen.includes("closed"));
  assert.deepEqual(faults, [fault]);
});

test("SocketTransport: the peer", async (t) => {
  const { client, transport } = await openPair(t);
  assert.deepEqual(transport.peer, { address: "127.0.0.1", port: client.localPort });
});
