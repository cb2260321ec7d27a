import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { shareReads } from "../../src/net/shared-reads.ts";
import { SOCKET_HIGH_WATER_MARK } from "../../src/net/socket-transport.ts";

/** A listening server whose sockets share the buffer, and clients of it. */
async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<() => Socket> {
  const server = createServer(() => assert.fail("an ordinary socket was made"));
  const sockets: Socket[] = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accept = (socket: Socket): void => {
    sockets.push(socket);
    onSocket(socket);
  };
  assert.equal(shareReads(server, SOCKET_HIGH_WATER_MARK, accept), true);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return () => {
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    sockets.push(client);
    return client;
  };
}

test("shareReads: sockets of one process read into the same memory, each its own bytes", async (t) => {
  const chunks: { memory: ArrayBufferLike; text: string }[] = [];
  const open = await listen(t, (socket) => {
    socket.on("data", (chunk) => {
      chunks.push({ memory: chunk.buffer, text: chunk.toString("latin1") });
      socket.end();
    });
  });
  for (const text of ["first", "second"]) {
    const client = open();
    client.write(text);
    await once(client.resume(), "end");
  }
  assert.deepEqual(
    chunks.map(({ text }) => text),
    ["first", "second"],
  );
  assert.equal(chunks[0]?.memory, chunks[1]?.memory);
});

test("shareReads: pause holds the client back, resume lets everything through, and the end comes last", async (t) => {
  const size = 8 * 1024 * 1024;
  const received = new Promise<number>((resolve) => {
    let count = 0;
    void listen(t, (socket) => {
      socket.once("data", () => {
        socket.pause();
        setImmediate(() => socket.resume());
      });
      socket.on("data", (chunk) => {
        count += chunk.length;
      });
      socket.on("end", () => resolve(count));
    }).then((open) => open().end(Buffer.alloc(size, "x")));
  });
  assert.equal(await received, size);
});

test("shareReads: a half-closed client still gets its answer", async (t) => {
  const open = await listen(t, (socket) => {
    socket.on("data", () => undefined);
    socket.on("end", () => socket.end("answer"));
  });
  const client = open();
  client.end("question");
  const answer = Buffer.concat(await client.toArray()).toString("latin1");
  assert.equal(answer, "answer");
});

test("shareReads: where Node's inside is not as expected, sockets stay ordinary", () => {
  assert.equal(
    shareReads(new Server(), SOCKET_HIGH_WATER_MARK, () => assert.fail("accepted")),
    false,
  );
});
