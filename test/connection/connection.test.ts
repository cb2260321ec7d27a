import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { toUnixSeconds } from "../../src/base/units.ts";
import { MessageMemo } from "../../src/http/response-head.ts";
import type { ResponsePlan } from "../../src/http/response-plan.ts";
import {
  ConnectionRig,
  echoPath,
  echoPathLater,
  Gate,
  get,
  type Handler,
  post,
  postChunked,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";

// ---- one request after the other

const orders: [name: string, handler: Handler][] = [
  ["answered at once", echoPath],
  ["answered later", echoPathLater],
];
for (const [name, handler] of orders) {
  test(`Connection: pipelined requests are answered in order, ${name}, however they are cut`, async () => {
    const requests = Buffer.from(get("/1") + get("/2") + postChunked("/3", "x") + get("/4"));
    const want = response("/1") + response("/2") + response("/3") + response("/4");
    const cuts = Array.from({ length: requests.length + 1 }, (_, at) => [
      requests.subarray(0, at),
      requests.subarray(at),
    ]);
    cuts.push(Array.from(requests, (_, at) => requests.subarray(at, at + 1)));
    for (const pieces of cuts) {
      const rig = new ConnectionRig(handler);
      for (const piece of pieces) rig.transport.send(piece);
      while (rig.records.length < 4) await turn();
      assert.equal(rig.transport.take(), want);
      assert.deepEqual(rig.faults, []);
    }
  });

  test(`Connection: 10,000 requests in one packet, ${name}`, async () => {
    const rig = new ConnectionRig(handler, { keepaliveRequests: 20_000 });
    rig.transport.send(get("/x").repeat(10_000));
    while (rig.records.length < 10_000) await turn();
    assert.equal(rig.transport.take(), response("/x", { max: 20_000 }).repeat(10_000));
  });
}

test("Connection: only one request is with the handler at a time", async () => {
  let present = 0;
  let most = 0;
  const rig = new ConnectionRig(async (request, writer) => {
    present += 1;
    most = Math.max(most, present);
    await echoPathLater(request, writer);
    present -= 1;
  });
  await rig.exchange(get("/1") + get("/2") + get("/3"));
  assert.equal(most, 1);
});

// ---- back-pressure

test("Connection: what a client sends while it waits for an answer stays bounded, and is read afterwards", async () => {
  const ready = new Gate();
  const handler: Handler = async (request, writer) => {
    await ready.opened;
    await echoPath(request, writer);
  };
  const rig = new ConnectionRig(handler, { keepaliveRequests: 100_000 });
  const packet = get("/").repeat(1000);
  for (let i = 0; i < 10; i += 1) rig.transport.send(packet);
  assert.equal(rig.transport.isPaused, true);
  assert.equal(rig.transport.unread, 7 * packet.length);

  ready.open();
  while (rig.records.length < 10_000) await turn();
  assert.equal(rig.transport.take(), response("/", { max: 100_000 }).repeat(10_000));
  assert.equal(rig.transport.isPaused, false);
});

test("Connection: a client that pipelines without end never has more than a bound in our memory", async () => {
  const rig = new ConnectionRig(echoPathLater, { keepaliveRequests: 1_000_000 });
  const packet = get("/").repeat(2000);
  let sent = 0;
  for (let i = 0; i < 60; i += 1) {
    rig.transport.send(packet);
    sent += packet.length;
    await turn();
    const answered = rig.records.length * get("/").length;
    const held = sent - rig.transport.unread - answered;
    assert.ok(held <= 64 * 1024 + packet.length + 100, `held: ${held}`);
  }
  assert.ok(rig.transport.unread > packet.length);
  rig.transport.vanish();
});

test("Connection: a client that takes no answers is not read from either", async () => {
  const rig = new ConnectionRig(echoPath, { keepaliveRequests: 1_000_000 });
  rig.transport.room = 200;
  for (let i = 0; i < 10; i += 1) rig.transport.send(get("/").repeat(1000));
  await settle();
  assert.equal(rig.transport.isPaused, true);
  assert.equal(rig.records.length, 1);
  rig.transport.read();
  while (rig.records.length < 10_000) await turn();
  assert.equal(rig.transport.isPaused, false);
  assert.equal(rig.transport.take(), response("/", { max: 1_000_000 }).repeat(10_000));
});

// ---- keep-alive

const persistences: [name: string, request: string, want: string, isKept: boolean][] = [
  ["1.1 stays", get("/"), response("/"), true],
  ["1.1 with Connection: close", get("/", "Connection: close"), response("/", { connection: "close" }), false],
  ["1.0 closes", "GET / HTTP/1.0\r\n\r\n", response("/", { connection: "close" }), false],
  [
    "1.0 with keep-alive stays, and is told so",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    response("/"),
    true,
  ],
];
for (const [name, request, want, isKept] of persistences) {
  test(`Connection: ${name}`, async () => {
    const rig = new ConnectionRig(echoPath);
    assert.equal(await rig.exchange(request), want);
    assert.equal(rig.transport.isClosed, !isKept);
    assert.equal(rig.gone, isKept ? 0 : 1);
    if (isKept) assert.equal(await rig.exchange(get("/next")), response("/next"));
    assert.equal(rig.records.length, isKept ? 2 : 1);
  });
}

test("Connection: after Connection: close it lingers for a client that has sent more", async () => {
  const rig = new ConnectionRig(echoPath);
  assert.equal(
    await rig.exchange(get("/", "Connection: close") + get("/next")),
    response("/", { connection: "close" }),
  );
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.transport.isClosed, false);
  assert.equal(rig.records.length, 1);
});

test("Connection: after Connection: close and a late answer it lingers for a client that has sent more", async () => {
  const ready = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await ready.opened;
    await echoPath(request, writer);
  });
  rig.transport.send(get("/", "Connection: close"));
  rig.transport.send("more");
  ready.open();
  await settle();
  assert.equal(rig.transport.take(), response("/", { connection: "close" }));
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.transport.isClosed, false);
});

test("Connection: after a body and Connection: close it lingers, because an empty line may follow", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(post("/", "body", "Connection: close"));
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.transport.isClosed, false);
});

test("Connection: a client that asked to close and is slow gets its answer whole", async () => {
  const rig = new ConnectionRig(echoPath);
  rig.transport.room = 10;
  rig.transport.send(get("/", "Connection: close"));
  await settle();
  assert.equal(rig.transport.isClosed, false);
  rig.transport.read();
  await settle();
  assert.equal(rig.transport.take(), response("/", { connection: "close" }));
  assert.equal(rig.transport.isClosed, true);
  assert.equal(rig.gone, 1);
});

test("Connection: the last of keepalive-requests says so, and nothing after it is answered", async () => {
  const rig = new ConnectionRig(echoPath, { keepaliveRequests: 2 });
  const want = response("/1", { max: 2 }) + response("/2", { connection: "close" });
  assert.equal(await rig.exchange(get("/1") + get("/2") + get("/3")), want);
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.records.length, 2);
});

test("Connection: an answer that went nowhere is logged as cut, without a byte", async () => {
  for (const request of [get("/a"), "junk\r\n\r\n"]) {
    const rig = new ConnectionRig(echoPath);
    rig.transport.isReset = true;
    await rig.exchange(request);
    const [record] = rig.records;
    assert.deepEqual([rig.records.length, record?.outcome, record?.bodyBytes], [1, "cut", 0], request);
  }
});

// ---- refusals

const refusals: [name: string, request: string, status: string, reason: string, line: string][] = [
  ["a malformed head", "GET  / HTTP/1.1\r\n\r\n", "400 Bad Request", "bad-request-line", "GET  / HTTP/1.1"],
  [
    "contradictory framing",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "400 Bad Request",
    "length-conflict",
    "POST / HTTP/1.1",
  ],
  ["an unknown expectation", get("/", "Expect: x"), "417 Expectation Failed", "unknown-expectation", "GET / HTTP/1.1"],
  [
    "a body announced too large",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n",
    "413 Content Too Large",
    "body-too-large",
    "POST / HTTP/1.1",
  ],
];
for (const [name, request, status, reason, requestLine] of refusals) {
  test(`Connection refuses ${name}, closes, and drops what follows`, async () => {
    const rig = new ConnectionRig(() => assert.fail("no handler may see this"));
    assert.equal(
      await rig.exchange(request + get("/smuggled")),
      response(`${reason}\n`, { status, connection: "close" }),
    );
    assert.equal(rig.transport.hasEnded, true);
    assert.equal(await rig.exchange(get("/more")), "");
    assert.equal(rig.transport.isClosed, false, "the client can still read the answer");
    assert.deepEqual(
      rig.records.map((record) => [record.status, record.reason, record.requestLine, record.outcome === "sent"]),
      [[Number(status.slice(0, 3)), reason, requestLine, true]],
    );
    rig.transport.halfClose();
    await settle();
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.gone, 1);
  });
}

test("Connection: a good request before a bad one is answered", async () => {
  const rig = new ConnectionRig(echoPathLater);
  const answers = await rig.exchange(`${get("/good")}bad\r\n\r\n`);
  assert.equal(
    answers,
    response("/good") + response("bad-request-line\n", { status: "400 Bad Request", connection: "close" }),
  );
});

// ---- what the log is told

test("Connection: a record tells who, what, how much and how long", async () => {
  const rig = new ConnectionRig(async ({ head }, writer) => {
    rig.clock.jumpWall(-3_600_000);
    rig.clock.advance(250);
    await writer.send({ ...textPlan("not there", 404), reason: "not-found" });
    assert.equal(head.path, "/x");
  });
  const receivedAt = rig.clock.wall();
  await rig.exchange(get("/x?y"));
  const { head, ...record } = rig.records[0] ?? assert.fail("no record");
  assert.equal(head?.query, "y");
  assert.deepEqual(record, {
    peer: { address: "192.0.2.7", port: 54321 },
    requestLine: "GET /x?y HTTP/1.1",
    status: 404,
    reason: "not-found",
    bodyBytes: 9,
    outcome: "sent",
    user: undefined,
    receivedAt,
    duration: 250,
  });
});

test("Connection: a handler sees head, peer, and that there is no body", async () => {
  const rig = new ConnectionRig((request, writer) => {
    assert.deepEqual(request.peer, { address: "192.0.2.7", port: 54321 });
    assert.equal(request.body, undefined);
    assert.equal(request.head.method, "GET");
    return echoPath(request, writer);
  });
  assert.equal(await rig.exchange(get("/")), response("/"));
});

// ---- the memo

function memoPlan(): ResponsePlan {
  return { ...textPlan("same"), memo: new MessageMemo() };
}

test("Connection: a plan with a memo is formatted once, and dated anew each second", async () => {
  const plan = memoPlan();
  const rig = new ConnectionRig((_, writer) => void writer.send(plan));
  const kept = () => plan.memo?.at(toUnixSeconds(rig.clock.wall()));
  assert.equal(await rig.exchange(get("/")), response("same"));
  const message = kept();
  assert.ok(message !== undefined);
  rig.clock.advance(999);
  assert.equal(await rig.exchange(get("/")), response("same"));
  rig.clock.advance(1);
  assert.equal(await rig.exchange(get("/")), response("same", { date: "Fri, 15 Mar 2024 10:30:01 GMT" }));
  assert.equal(kept(), message);
});

const unmemoed: [name: string, request: string, connection: string][] = [
  ["Connection: close", get("/", "Connection: close"), "close"],
  ["HTTP/1.0 without keep-alive", "GET / HTTP/1.0\r\n\r\n", "close"],
];
for (const [name, request, connection] of unmemoed) {
  test(`Connection: a memo is neither used nor filled with ${name}`, async () => {
    const plan = memoPlan();
    const handler: Handler = (_, writer) => void writer.send(plan);
    const rig = new ConnectionRig(handler);
    assert.equal(await rig.exchange(request), response("same", { connection }));
    assert.equal(await new ConnectionRig(handler).exchange(get("/")), response("same"));
    assert.equal(await new ConnectionRig(handler).exchange(request), response("same", { connection }));
  });
}

// ---- draining

test("Connection: draining closes an idle connection at once", async () => {
  const rig = new ConnectionRig(echoPath);
  await rig.exchange(get("/"));
  rig.phase = "stopping";
  rig.connection.drain();
  assert.equal(rig.transport.hasEnded, true);
});

test("Connection: draining lets a request be answered, and says that it is the last", async () => {
  const ready = new Gate();
  const rig = new ConnectionRig(async (request, writer) => {
    await ready.opened;
    await echoPath(request, writer);
  });
  rig.transport.send(get("/"));
  rig.phase = "stopping";
  rig.connection.drain();
  assert.equal(rig.connection.isBusy, true);
  assert.equal(rig.transport.hasEnded, false);
  ready.open();
  await settle();
  assert.equal(rig.transport.take(), response("/", { connection: "close" }));
  assert.equal(rig.transport.hasEnded, true);
  assert.equal(rig.connection.isBusy, false);
});

test("Connection: draining still answers a head that is half read", async () => {
  const rig = new ConnectionRig(echoPath);
  rig.transport.send("GET / HTT");
  rig.phase = "stopping";
  rig.connection.drain();
  assert.equal(rig.transport.hasEnded, false);
  assert.equal(await rig.exchange("P/1.1\r\nHost: a\r\n\r\n"), response("/", { connection: "close" }));
  assert.equal(rig.transport.hasEnded, true);
});

test("Connection: an answer that began before the draining ends the connection too", async () => {
  const rig = new ConnectionRig(echoPath);
  rig.transport.room = 10;
  rig.transport.send(get("/"));
  rig.phase = "stopping";
  rig.connection.drain();
  rig.transport.read();
  await settle();
  assert.equal(rig.transport.take(), response("/"));
  assert.equal(rig.transport.hasEnded, true);
});

test("Connection: what a handler notes of the user goes to the record of that request alone", async () => {
  const rig = new ConnectionRig((request, writer) => {
    if (request.head.path === "/own") request.note({ user: "ann" });
    void writer.send(textPlan("x"));
  });
  await rig.exchange(get("/own") + get("/other"));
  assert.deepEqual(
    rig.records.map(({ user }) => user),
    ["ann", undefined],
  );
});
