/** The deadlines of a connection: data that a sweep looks at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, milliseconds } from "../../src/base/units.ts";
import type { ServingPhase } from "../../src/connection/connection-context.ts";
import {
  ConnectionRig,
  echoBody,
  echoPath,
  Gate,
  get,
  post,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";

// The rig's limits: idle 3 s, of a proxy 60 s, header 10 s, body 20 s, send 30 s.

const PROXY = "192.0.2.99";

test("deadlines: a connection that never says anything is closed without a word after header-timeout", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.pass(9_999);
  assert.equal(rig.transport.hasEnded, false);
  await rig.pass(1);
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.transport.take(), "");
  assert.deepEqual(rig.records, []);
});

test("deadlines: an idle connection is closed without a word a second after the timeout that was announced", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(get("/"));
  await rig.pass(3_999);
  assert.equal(await rig.exchange(get("/")), response("/", { date: "Fri, 15 Mar 2024 10:30:03 GMT" }));
  await rig.pass(3_999);
  assert.equal(rig.transport.hasEnded, false);
  await rig.pass(1);
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.transport.take(), "");
  assert.equal(rig.records.length, 2);
});

// Longer than a proxy keeps an idle connection, so that the proxy closes first and no request of it is under way then.
const proxied: [name: string, fields: string[]][] = [
  ["Via", ["Via: 1.1 cache"]],
  ["X-Forwarded-For", ["X-Forwarded-For: 192.0.2.1"]],
  ["Forwarded", ["Forwarded: for=192.0.2.1"]],
  ["nothing of itself, and is trusted", []],
];
for (const [name, fields] of proxied) {
  test(`deadlines: an idle connection of a proxy that says ${name} is closed after proxy-timeout`, async () => {
    const rig = new ConnectionRig(echoPath, {}, undefined, (address) => address === PROXY);
    if (fields.length === 0) rig.transport.peer = { address: PROXY, port: 1 };
    await rig.exchange(get("/", ...fields));
    await rig.pass(60_999);
    assert.equal(rig.transport.hasEnded, false);
    await rig.pass(1);
    assert.equal(rig.transport.hasEnded, true);
  });
}

test("deadlines: proxy-timeout holds for no other client, and shortens nothing", async () => {
  const other = new ConnectionRig(echoPath, {}, undefined, (address) => address === PROXY);
  await other.exchange(get("/"));
  await other.pass(4_000);
  assert.equal(other.transport.hasEnded, true);

  const shorter = new ConnectionRig(echoPath, { proxyTimeout: milliseconds(1_000) });
  await shorter.exchange(get("/", "Via: 1.1 cache"));
  await shorter.pass(3_999);
  assert.equal(shorter.transport.hasEnded, false);
});

const scarce: [name: string, phase: ServingPhase, isCrowded: boolean][] = [
  ["while places are scarce", "serving", true],
  ["when another process serves already", "handing-over", false],
];
for (const [name, phase, isCrowded] of scarce) {
  test(`deadlines: an idle connection of a proxy is closed after timeout ${name}`, async () => {
    const rig = new ConnectionRig(echoPath);
    await rig.exchange(get("/", "Via: 1.1 cache"));
    rig.phase = phase;
    rig.connection.drain();
    rig.clock.advance(3_999);
    rig.connection.sweep(rig.clock.monotonic(), isCrowded);
    assert.equal(rig.transport.hasEnded, false);
    rig.clock.advance(1);
    rig.connection.sweep(rig.clock.monotonic(), isCrowded);
    assert.equal(rig.transport.hasEnded, true);
  });
}

test("deadlines: a head that drips is refused after header-timeout, with what has arrived in the log", async () => {
  const rig = new ConnectionRig(echoPath);
  for (const byte of "GET /slow ") {
    rig.transport.send(byte);
    await rig.pass(990);
  }
  assert.equal(rig.transport.take(), "");
  await rig.pass(100);
  const date = "Fri, 15 Mar 2024 10:30:10 GMT";
  assert.equal(
    rig.transport.take(),
    response("header-timeout\n", { status: "408 Request Timeout", connection: "close", date }),
  );
  assert.equal(rig.transport.hasEnded, true);
  assert.deepEqual(
    rig.records.map(({ status, reason, requestLine }) => [status, reason, requestLine]),
    [[408, "header-timeout", "GET /slow "]],
  );
});

test("deadlines: the second head on a connection has its own header-timeout, from its first byte", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(get("/"));
  await rig.pass(2_000);
  rig.transport.send("G");
  await rig.pass(9_999);
  assert.equal(rig.transport.hasEnded, false);
  await rig.pass(1);
  assert.match(rig.transport.take(), /^HTTP\/1\.1 408 /);
});

const drips: [name: string, framing: string, body: string][] = [
  ["counted", "Content-Length: 4", "body"],
  ["chunked", "Transfer-Encoding: chunked", "04;x=y\r\nbody\r\n0\r\n\r\n"],
];
for (const [name, framing, body] of drips) {
  test(`deadlines: a ${name} body may take its time as long as it moves`, async () => {
    const rig = new ConnectionRig(echoBody);
    rig.transport.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    for (const byte of body) {
      await rig.pass(19_999);
      rig.transport.send(byte);
      await settle();
    }
    assert.match(rig.transport.take(), /^HTTP\/1\.1 200 .*\r\n\r\nbody$/s);
  });
}

test("deadlines: a body that stands still fails with 408, the handler answers, and the connection ends", async () => {
  const rig = new ConnectionRig(echoBody);
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbod");
  await settle();
  await rig.pass(19_999);
  assert.equal(rig.transport.take(), "");
  await rig.pass(1);
  const date = "Fri, 15 Mar 2024 10:30:20 GMT";
  assert.equal(
    rig.transport.take(),
    response("body-timeout after 3", { status: "408 Request Timeout", connection: "close", date }),
  );
  assert.equal(rig.transport.hasEnded, true);
});

const RATE = { bodyRate: bytes(100) };

for (const [name, framing, body] of drips) {
  test(`deadlines: a ${name} body that drips fails with 408 once it is slower than body-rate as a whole`, async () => {
    const rig = new ConnectionRig(echoBody, RATE);
    rig.transport.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    // A byte each 9 s: body-timeout (20 s) and 10 ms for each byte have passed with the third.
    let sent = 0;
    for (; rig.records.length === 0 && sent < body.length; sent += 1) {
      rig.transport.send(body.charAt(sent));
      await settle();
      await rig.pass(9_000);
    }
    assert.equal(sent, 3);
    assert.match(rig.transport.take(), /^HTTP\/1\.1 408 .*\r\n\r\nbody-too-slow after \d$/s);
    assert.equal(rig.transport.hasEnded, true);
  });
}

test("deadlines: a body of body-rate may take as long as it needs, and may be late in the end", async () => {
  const rig = new ConnectionRig(echoBody, RATE);
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\n\r\n");
  for (let i = 0; i < 100; i += 1) {
    await rig.pass(1_000);
    rig.transport.send("x".repeat(100));
    await settle();
  }
  await rig.pass(19_999);
  assert.match(await rig.exchange("x"), /^HTTP\/1\.1 200 /);
});

test("deadlines: body-rate does not count the time that a handler takes for itself", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await request.body?.read();
    await gate.opened;
    await echoBody(request, writer);
  }, RATE);
  await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  await rig.pass(1_000_000);
  gate.open();
  await settle();
  await rig.pass(19_999);
  assert.equal((await rig.exchange("dy")).endsWith("\r\n\r\ndy"), true);
});

test("deadlines: empty lines and a head of a byte each 3 s do not keep a connection open", async () => {
  for (const drip of ["\r\n", "G"]) {
    const rig = new ConnectionRig(echoPath);
    for (let time = 0; time < 12_000; time += 3_000) {
      assert.equal(rig.transport.hasEnded, false, `${JSON.stringify(drip)} at ${time}`);
      rig.transport.send(drip);
      await rig.pass(3_000);
    }
    assert.equal(rig.transport.hasEnded, true, JSON.stringify(drip));
  }
});

test("deadlines: a client is not blamed for a body that nobody reads yet", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await gate.opened;
    await echoBody(request, writer);
  });
  rig.transport.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  await rig.pass(1_000_000);
  gate.open();
  await settle();
  await rig.pass(19_999);
  assert.equal((await rig.exchange("body")).endsWith("body"), true);
});

test("deadlines: a client is not blamed for a handler that is long about one piece of the body", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await request.body?.read();
    await gate.opened;
    await echoBody(request, writer);
  });
  await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  await rig.exchange("bo");
  await rig.pass(1_000_000);
  gate.open();
  await settle();
  assert.equal((await rig.exchange("dy")).endsWith("\r\n\r\ndy"), true);
});

test("deadlines: a body that is dropped has body-timeout altogether", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
  for (let i = 0; i < 4; i += 1) {
    await rig.pass(4_999);
    assert.equal(rig.transport.hasEnded, false);
    rig.transport.send("x");
  }
  await rig.pass(4);
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.records.length, 1);
});

test("deadlines: a handler may take as long as it needs", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await gate.opened;
    await echoPath(request, writer);
  });
  rig.transport.send(get("/"));
  await rig.pass(1_000_000);
  assert.equal(rig.transport.hasEnded, false);
  gate.open();
  await settle();
  assert.match(rig.transport.take(), /^HTTP\/1\.1 200 /);
});

test("deadlines: a client that takes nothing for send-timeout is cut", async () => {
  const rig = new ConnectionRig(echoPath);
  rig.transport.room = 10;
  rig.transport.send(get("/"));
  await rig.pass(29_999);
  assert.equal(rig.transport.isClosed, false);
  await rig.pass(1);
  assert.equal(rig.transport.isClosed, true);
  assert.equal(rig.transport.wasReset, true, "the kernel keeps nothing for it");
  assert.deepEqual(
    rig.records.map(({ outcome, reason }) => [outcome === "sent", reason]),
    [[false, "send-timeout"]],
  );
  assert.equal(rig.gone, 1);
});

test("deadlines: a client that takes a little at a time is not cut", async () => {
  const rig = new ConnectionRig((_, writer) => {
    const sending = writer.send(textPlan("x".repeat(20)));
    return typeof sending === "string" ? undefined : sending.then(() => undefined);
  });
  rig.transport.room = 0;
  rig.transport.send(get("/"));
  for (let i = 0; i < 20; i += 1) {
    await rig.pass(29_999);
    rig.transport.read(1);
    await rig.pass(0);
  }
  assert.equal(rig.transport.isClosed, false);
  rig.transport.read();
  await settle();
  assert.deepEqual(
    rig.records.map(({ outcome }) => outcome === "sent"),
    [true],
  );
});

test("deadlines: send-timeout begins anew with each answer", async () => {
  const rig = new ConnectionRig(echoPath);
  for (let i = 0; i < 3; i += 1) {
    rig.transport.room = 10;
    rig.transport.send(get("/"));
    await rig.pass(29_999);
    rig.transport.read();
    await settle();
  }
  assert.equal(rig.transport.isClosed, false);
  assert.equal(rig.records.length, 3);
});

const lingerings: [name: string, begin: (rig: ConnectionRig) => Promise<unknown>][] = [
  ["after a refusal", (rig) => rig.exchange("x\r\n\r\n")],
  ["after Connection: close and more", (rig) => rig.exchange(`${get("/", "Connection: close")}more`)],
  ["after the idle time", async (rig) => rig.pass(10_000)],
  ["after a body too long to be dropped", (rig) => rig.exchange(post("/", "x".repeat(70_000)))],
];
for (const [name, begin] of lingerings) {
  test(`deadlines: lingering ${name} ends by itself, also when bytes keep coming`, async () => {
    const rig = new ConnectionRig(echoPath);
    await begin(rig);
    assert.equal(rig.transport.hasEnded, true);
    for (let i = 0; i < 4; i += 1) {
      rig.transport.send("more");
      await rig.pass(1_000);
    }
    assert.equal(rig.transport.isClosed, false);
    await rig.pass(1_000);
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.gone, 1);
  });
}

test("deadlines: lingering ends early for a client that sends without end", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange("x\r\n\r\n");
  const megabyte = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 16; i += 1) rig.transport.send(megabyte);
  await settle();
  assert.equal(rig.transport.isClosed, false);
  await rig.exchange("x");
  assert.equal(rig.transport.isClosed, true);
});

test("deadlines: lingering is cut short when the server stops, whether it began before or after", async () => {
  for (const stopsBefore of [true, false]) {
    const rig = new ConnectionRig(echoPath);
    rig.phase = stopsBefore ? "stopping" : "serving";
    await rig.exchange("x\r\n\r\n");
    rig.phase = "stopping";
    rig.connection.drain();
    await rig.pass(999);
    assert.equal(rig.transport.isClosed, false);
    await rig.pass(1);
    assert.equal(rig.transport.isClosed, true);
  }
});

test("deadlines: a refusal that the client does not take goes with the lingering", async () => {
  const rig = new ConnectionRig(echoPath);
  rig.transport.room = 0;
  await rig.exchange("x\r\n\r\n");
  await rig.pass(5_000);
  assert.equal(rig.transport.isClosed, true);
  assert.equal(rig.transport.wasReset, true);
  assert.equal(rig.gone, 1);
});

test("deadlines: the wall clock may jump", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(get("/"));
  rig.clock.jumpWall(86_400_000);
  await rig.pass(0);
  assert.equal(rig.transport.hasEnded, false);
  rig.clock.jumpWall(-2 * 86_400_000);
  await rig.pass(4_000);
  assert.equal(rig.transport.hasEnded, true);
});
