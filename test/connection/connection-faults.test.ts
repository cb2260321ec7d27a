/** Faults of our own: they end one connection, are told once, and leave nothing behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConnectionRig,
  echoPath,
  echoPathLater,
  Gate,
  get,
  type Handler,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";

const fault = new Error("a fault of the handler");
const internalError = response("internal-error\n", { status: "500 Internal Server Error", connection: "close" });
const noop = (): void => undefined;

const faultyHandlers: [name: string, handler: Handler][] = [
  [
    "throws",
    () => {
      throw fault;
    },
  ],
  ["rejects", () => Promise.reject(fault)],
  [
    "rejects later",
    async () => {
      await settle();
      throw fault;
    },
  ],
];
for (const [name, handler] of faultyHandlers) {
  test(`Connection: a handler that ${name} before it answers: 500, logged, and the connection ends`, async () => {
    const rig = new ConnectionRig(handler);
    rig.transport.send(get("/1") + get("/2"));
    await settle();
    await settle();
    assert.equal(rig.transport.take(), internalError);
    assert.equal(rig.transport.hasEnded, true);
    assert.deepEqual(rig.faults, [fault]);
    assert.deepEqual(
      rig.records.map(({ status, reason, requestLine }) => [status, reason, requestLine]),
      [[500, "internal-error", "GET /1 HTTP/1.1"]],
    );
    rig.transport.halfClose();
    await settle();
    assert.equal(rig.gone, 1);
  });

  test(`Connection: a handler that ${name} for a client that has gone leaves nothing behind`, async () => {
    const rig = new ConnectionRig(async (request, writer) => {
      await settle();
      await handler(request, writer);
    });
    rig.transport.send(get("/"));
    rig.transport.vanish();
    await settle();
    await settle();
    await settle();
    assert.deepEqual(rig.faults, [fault]);
    assert.equal(rig.gone, 1);
  });
}

test("Connection: a fault while the client is paused: what it still sends is read, so that the 500 is not erased", async () => {
  const gate = new Gate();
  const rig = new ConnectionRig(async () => {
    await gate.opened;
    throw fault;
  });
  for (let i = 0; i < 4; i += 1) rig.transport.send(get("/").repeat(1000));
  assert.equal(rig.transport.isPaused, true);
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), internalError);
  assert.equal(rig.transport.unread, 0);
});

const silentHandlers: [name: string, handler: Handler][] = [
  ["at once", noop],
  ["later", () => settle()],
];
for (const [name, handler] of silentHandlers) {
  test(`Connection: a handler that returns ${name} without an answer: 500`, async () => {
    const rig = new ConnectionRig(handler);
    rig.transport.send(get("/"));
    await settle();
    await settle();
    assert.equal(rig.transport.take(), internalError);
    assert.match(String(rig.faults), /without a response/);
    assert.equal(rig.records.length, 1);
  });
}

const faultyAfterwards: [name: string, handler: Handler][] = [
  [
    "throws",
    (_, writer) => {
      void writer.send(textPlan("answer"));
      throw fault;
    },
  ],
  [
    "rejects",
    async (_, writer) => {
      await writer.send(textPlan("answer"));
      throw fault;
    },
  ],
];
for (const [name, handler] of faultyAfterwards) {
  test(`Connection: a handler that ${name} after its answer: one answer, one record, and the connection ends`, async () => {
    const rig = new ConnectionRig(handler);
    rig.transport.send(get("/1") + get("/2"));
    await settle();
    assert.equal(rig.transport.take(), response("answer"));
    assert.equal(rig.transport.isClosed, true);
    assert.deepEqual(
      rig.records.map(({ status, outcome }) => [status, outcome === "sent"]),
      [[200, true]],
    );
    assert.deepEqual(rig.faults, [fault]);
    assert.equal(rig.gone, 1);
  });
}

test("Connection: a handler that answers twice: the second is never written", async () => {
  for (const handler of [
    (_, writer) => {
      void writer.send(textPlan("first"));
      void writer.send(textPlan("second"));
    },
    async (_, writer) => {
      await writer.send(textPlan("first"));
      await writer.send(textPlan("second"));
    },
  ] satisfies Handler[]) {
    const rig = new ConnectionRig(handler);
    rig.transport.send(get("/1") + get("/2"));
    await settle();
    assert.equal(rig.transport.take(), response("first"));
    assert.match(String(rig.faults), /second response/);
    assert.equal(rig.records.length, 1);
    assert.equal(rig.transport.isClosed, true);
  }
});

test("Connection: an answer that comes after its handler has returned is not written", async () => {
  const gate = new Gate();
  const outcomes: unknown[] = [];
  const rig = new ConnectionRig((_, writer) => {
    void gate.opened.then(async () => outcomes.push(await writer.send(textPlan("late"))));
  });
  assert.equal(await rig.exchange(get("/")), internalError);
  gate.open();
  await settle();
  assert.equal(rig.transport.take(), "");
  assert.deepEqual(outcomes, ["cut"]);
});

test("Connection: a fault in record() ends that connection, logged, and rejects nothing", async () => {
  for (const handler of [echoPath, echoPathLater, ...faultyAfterwards.map(([, faulty]) => faulty)]) {
    const rig = new ConnectionRig(handler);
    const recordFault = new Error("a fault of the log");
    rig.context.service.record = () => {
      throw recordFault;
    };
    try {
      rig.transport.send(get("/"));
    } catch (thrown) {
      // What a transport does with a handler of events that throws.
      rig.faults.push(thrown);
      rig.transport.destroy();
    }
    await settle();
    assert.equal(rig.faults.at(-1), recordFault);
    assert.equal(rig.transport.isClosed, true);
    assert.equal(rig.gone, 1);
  }
});
