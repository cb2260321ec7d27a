/** How a connection ends when the client ends it, in each state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import {
  ConnectionRig,
  echoBody,
  echoPath,
  echoPathLater,
  Gate,
  get,
  type Handler,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";

const POST_HEAD = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";

/** Answers when the gate opens; `settled` counts the handlers that came to their end. */
function waiting(gate: Gate, settled: { count: number }): Handler {
  return async (request, writer) => {
    try {
      await gate.opened;
      await writer.send(textPlan(request.head.path));
    } finally {
      settled.count += 1;
    }
  };
}

// ---- half-close

const quietHalfCloses: [name: string, sent: string][] = [
  ["before the first byte", ""],
  ["in a head", "GET / HTT"],
];
for (const [name, sent] of quietHalfCloses) {
  test(`Connection: a half-close ${name} closes without a word`, async () => {
    const rig = new ConnectionRig(() => assert.fail("no handler may see this"));
    rig.transport.send(sent);
    rig.transport.halfClose();
    await settle();
    assert.equal(rig.transport.take(), "");
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.gone, 1);
    assert.deepEqual(rig.records, []);
  });
}

test("Connection: a half-close between requests closes", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(get("/"));
  rig.transport.halfClose();
  await settle();
  assert.equal(rig.transport.isClosed, true);
});

test("Connection: everything sent before a half-close is answered, and the last answer says close", async () => {
  const rig = new ConnectionRig(echoPathLater);
  rig.transport.send(get("/1") + get("/2") + get("/3"));
  rig.transport.halfClose();
  await settle();
  await settle();
  assert.equal(rig.transport.take(), response("/1") + response("/2") + response("/3", { connection: "close" }));
  assert.equal(rig.transport.isClosed, true);
  assert.equal(rig.gone, 1);
});

test("Connection: the same when the last ones are answered at once", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig((request, writer) => {
    if (request.head.path !== "/1") return echoPath(request, writer);
    return gate.opened.then(() => echoPath(request, writer));
  });
  rig.transport.send(get("/1") + get("/2") + get("/3"));
  rig.transport.halfClose();
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), response("/1") + response("/2") + response("/3", { connection: "close" }));
  assert.equal(rig.transport.isClosed, true);
});

test("Connection: half a head behind the last answered request is dropped", async () => {
  const rig = new ConnectionRig(echoPathLater);
  rig.transport.send(`${get("/1")}GET /2 HT`);
  rig.transport.halfClose();
  await settle();
  assert.equal(rig.transport.take(), response("/1"));
  assert.equal(rig.transport.isClosed, true);
});

test("Connection: a half-close while an unread body is dropped closes", async () => {
  const rig = new ConnectionRig(echoPath);
  assert.equal(await rig.exchange(POST_HEAD), response("/"));
  rig.transport.halfClose();
  await settle();
  assert.equal(rig.transport.isClosed, true);
});

// ---- the client vanishes

test("Connection: a client that vanishes while its request is handled", async () => {
  const gate = new Gate();
  const settled = { count: 0 };
  const rig = new ConnectionRig(waiting(gate, settled));
  rig.transport.send(get("/"));
  rig.transport.vanish();
  await settle();
  assert.equal(rig.gone, 0, "the handler is still at work");
  gate.open();
  await settle();
  assert.equal(settled.count, 1);
  assert.equal(rig.gone, 1);
  assert.equal(rig.transport.writes, 0);
  assert.deepEqual(
    rig.records.map(({ outcome, bodyBytes, status }) => [outcome === "sent", bodyBytes, status]),
    [[false, 0, 200]],
  );
  assert.deepEqual(rig.faults, []);
});

test("Connection: requests that wait behind one whose client vanished are not answered", async () => {
  const gate = new Gate();
  const settled = { count: 0 };
  const rig = new ConnectionRig(waiting(gate, settled));
  rig.transport.send(get("/1") + get("/2"));
  rig.transport.vanish();
  gate.open();
  await settle();
  assert.equal(settled.count, 1);
  assert.equal(rig.records.length, 1);
});

test("Connection: a client that vanishes while it takes an answer: the log gets what it took", async () => {
  const rig = new ConnectionRig(echoPath);
  const head = response("").replace("Length: 0", "Length: 10");
  rig.transport.room = head.length + 4;
  rig.transport.send(get("/123456789"));
  rig.transport.vanish();
  await settle();
  assert.deepEqual(
    rig.records.map(({ outcome, bodyBytes }) => [outcome === "sent", bodyBytes]),
    [[false, 4]],
  );
  assert.equal(rig.gone, 1);
});

test("Connection: a client that vanishes in the middle of a body: its reader is told", async () => {
  const rig = new ConnectionRig(echoBody);
  rig.transport.send(`${POST_HEAD}1234`);
  await settle();
  rig.transport.vanish();
  await settle();
  assert.deepEqual(
    rig.records.map(({ outcome, status }) => [outcome === "sent", status]),
    [[false, 400]],
  );
  assert.equal(rig.gone, 1);
  assert.deepEqual(rig.faults, []);
});

const vanishings: [name: string, handler: Handler, sent: string, records: number][] = [
  ["before the first byte", echoPath, "", 0],
  ["in a head", echoPath, "GET /", 0],
  ["between requests", echoPath, get("/"), 1],
  ["while an unread body is dropped", echoPath, POST_HEAD, 1],
  ["after a refusal", echoPath, "x\r\n\r\n", 1],
];
for (const [name, handler, sent, records] of vanishings) {
  test(`Connection: a client that vanishes ${name} leaves nothing behind`, async () => {
    const rig = new ConnectionRig(handler);
    rig.transport.send(sent);
    rig.transport.vanish();
    await settle();
    assert.equal(rig.gone, 1);
    assert.equal(rig.records.length, records);
    await rig.pass(1_000_000);
    rig.connection.drain();
    await settle();
    assert.equal(rig.gone, 1);
    assert.equal(rig.records.length, records);
  });
}

test("Connection: destroyed while a request is handled", async () => {
  for (const closesAtOnce of [false, true]) {
    const gate = new Gate();
    const settled = { count: 0 };
    const rig = new ConnectionRig(waiting(gate, settled));
    rig.transport.closesAtOnce = closesAtOnce;
    rig.transport.send(get("/"));
    rig.connection.destroy();
    gate.open();
    await settle();
    assert.equal(settled.count, 1);
    assert.equal(rig.gone, 1);
    assert.deepEqual(
      rig.records.map(({ outcome }) => outcome === "sent"),
      [false],
    );
  }
});

test("Connection: a handler that vanishes its own client by answering", async () => {
  const changed: ResponsePlan = textPlan("x");
  const rig = new ConnectionRig(async (_, writer) => {
    rig.transport.vanish();
    assert.equal(await writer.send(changed), "cut");
  });
  rig.transport.send(get("/1") + get("/2"));
  await settle();
  assert.deepEqual(
    rig.records.map(({ outcome }) => outcome === "sent"),
    [false],
  );
  assert.equal(rig.gone, 1);
});
