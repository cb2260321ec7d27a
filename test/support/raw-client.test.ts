import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { latin1, RawClient } from "./raw-client.ts";

let server: Server;
let port = 0;
/** What the server does with a connection; each test sets its own. */
let serve: (socket: Socket) => void = () => {};

before(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address === "object" && address !== null) port = address.port;
});
after(() => server.close());

async function withClient(use: (client: RawClient) => Promise<void>): Promise<void> {
  const client = await RawClient.connect(port);
  try {
    await use(client);
  } finally {
    client.destroy();
  }
}

for (const pieces of ["whole", "halves", "bytewise"] as const) {
  test(`bytes sent ${pieces} arrive in order, then the end`, async () => {
    const arrived: Buffer[] = [];
    serve = (socket) => {
      socket.on("data", (chunk) => arrived.push(chunk));
      socket.on("end", () => socket.end(Buffer.concat(arrived)));
    };
    await withClient(async (client) => {
      client.send(Buffer.from("first "), pieces);
      client.send(Buffer.from("second"), pieces);
      client.halfClose();
      assert.equal(latin1(await client.readToEnd()), "first second");
    });
  });
}

test("a head, a counted body and the rest are read apart", async () => {
  serve = (socket) => void socket.end("A\r\nB\r\n\r\nbodyrest");
  await withClient(async (client) => {
    assert.equal(latin1(await client.readHead()), "A\r\nB\r\n\r\n");
    assert.equal(latin1(await client.readBytes(4)), "body");
    assert.equal(latin1(await client.readToEnd()), "rest");
    assert.ok(client.ended);
  });
});

test("an end before everything has come fails, and tells what came", async () => {
  serve = (socket) => void socket.end("HTTP/1.1");
  await withClient((client) => assert.rejects(client.readHead(), /the server closed; arrived: "HTTP\/1\.1"/));
});

test("a reset is no end", async () => {
  serve = (socket) => void socket.on("data", () => socket.write("abc", () => socket.resetAndDestroy()));
  await withClient(async (client) => {
    client.send(Buffer.from("x"));
    await assert.rejects(client.readToEnd(), /reset/);
  });
});

test("leaving closes the connection", async () => {
  const gone = new Promise<void>((resolve) => {
    serve = (socket) => void socket.resume().on("end", () => resolve(void socket.end()));
  });
  await withClient(async (client) => {
    client.send(Buffer.from("x"));
    await client.leave();
    await gone;
  });
});
