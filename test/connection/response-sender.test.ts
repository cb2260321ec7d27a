/** What a plan becomes on a transport, and what the log is told when it does not arrive. */

import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { bytes, milliseconds, unixSeconds } from "../../src/base/units.ts";
import { BufferPool } from "../../src/connection/buffer-pool.ts";
import { ResponseSender } from "../../src/connection/response-sender.ts";
import { MessageMemo } from "../../src/http/response-head.ts";
import type { OpenSource, ResponsePlan } from "../../src/http/response-plan.ts";
import {
  ConnectionRig,
  get,
  type Handler,
  keeping,
  LIMITS,
  response,
  settle,
  textPlan,
} from "../support/connection-rig.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeTransport } from "../support/fake-transport.ts";
import { openSource } from "../support/open-source.ts";

const NOW = unixSeconds(Date.UTC(2024, 2, 15, 10, 30) / 1000);
const KIB = 1024;
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

function open(): { transport: FakeTransport; sender: ResponseSender } {
  const transport = new FakeTransport();
  const sender = new ResponseSender(transport, new BufferPool(), new FakeClock(), {
    ...LIMITS,
    sendTimeout: milliseconds(1000),
  });
  const nothing = (): void => undefined;
  transport.listen({
    onBytes: nothing,
    onEnd: nothing,
    onDrained: () => sender.onDrained(),
    onClosed: () => sender.onClosed(),
  });
  return { transport, sender };
}

const bodies: [name: string, size: number][] = [
  ["an empty body", 0],
  ["a body that is joined with its head", 64 * KIB],
  ["a body beside its head", 64 * KIB + 1],
];
for (const [name, size] of bodies) {
  test(`ResponseSender: ${name}: one write, and no promise when the kernel takes it`, () => {
    const { transport, sender } = open();
    const text = "x".repeat(size);
    assert.equal(sender.send(textPlan(text), "keep", NOW), "sent");
    assert.equal(transport.writes, 1);
    assert.equal(transport.take(), response(text));
    assert.equal(sender.bodyBytesSent, size);
  });

  test(`ResponseSender: ${name}: sent when the client has taken it`, async () => {
    const { transport, sender } = open();
    transport.room = 1;
    const text = "x".repeat(size);
    const sending = sender.send(textPlan(text), "close", NOW);
    assert.ok(sending instanceof Promise);
    transport.read(20);
    transport.read();
    assert.equal(await sending, "sent");
    assert.equal(transport.take(), response(text, { connection: "close" }));
  });
}

test("ResponseSender: a response without a body", () => {
  const { transport, sender } = open();
  const plan: ResponsePlan = { status: 304, fields: [{ name: "ETag", value: '"x"' }], body: { kind: "none" } };
  assert.equal(sender.send(plan, "keep", NOW), "sent");
  assert.equal(
    transport.take(),
    'HTTP/1.1 304 Not Modified\r\nDate: Fri, 15 Mar 2024 10:30:00 GMT\r\nETag: "x"\r\n' + `${keeping()}\r\n`,
  );
});

test("ResponseSender: a large body in memory is written from where it lies", () => {
  const { transport, sender } = open();
  transport.room = 0;
  const plan = textPlan("x".repeat(100 * KIB));
  void sender.send(plan, "keep", NOW);
  if (plan.body.kind === "bytes") (plan.body.bytes as Buffer).fill("y");
  transport.read();
  assert.match(transport.take(), /\r\n\r\ny+$/);
});

const AGAIN: [name: string, plan: () => ResponsePlan][] = [
  ["a kept message", () => ({ ...textPlan("x"), memo: new MessageMemo() })],
  ["a message that is sent once", () => textPlan("x")],
];
for (const [name, makePlan] of AGAIN) {
  test(`ResponseSender: ${name} that waits for its client stays as it is`, async () => {
    const slow = open();
    const quick = open();
    const plan = makePlan();
    slow.transport.room = 30;
    const sending = slow.sender.send(plan, "keep", NOW);
    for (const later of [1, 2]) {
      assert.equal(quick.sender.send(plan, "keep", unixSeconds(NOW + later)), "sent");
      assert.equal(quick.transport.take(), response("x", { date: `Fri, 15 Mar 2024 10:30:0${later} GMT` }));
    }
    slow.transport.read();
    assert.equal(await sending, "sent");
    assert.equal(slow.transport.take(), response("x"));
  });

  test(`ResponseSender: ${name} behind a 100 that waits stays as it is`, async () => {
    const slow = open();
    const quick = open();
    const plan = makePlan();
    slow.transport.room = 5;
    slow.sender.sendInterim(Buffer.from(CONTINUE));
    const sending = slow.sender.send(plan, "keep", NOW);
    assert.equal(quick.sender.send(plan, "keep", unixSeconds(NOW + 1)), "sent");
    slow.transport.read();
    assert.equal(await sending, "sent");
    assert.equal(slow.transport.take(), CONTINUE + response("x"));
  });
}

test("ResponseSender: nothing is written once the transport is closed", () => {
  const { transport, sender } = open();
  transport.vanish();
  assert.equal(sender.send(textPlan("x"), "keep", NOW), "cut");
  assert.equal(transport.writes, 0);
  assert.equal(sender.bodyBytesSent, 0);
});

for (const size of [10, 64 * KIB + 1]) {
  test(`ResponseSender: of ${size} bytes that went nowhere none is counted as sent`, async () => {
    const { transport, sender } = open();
    transport.isReset = true;
    const sending = sender.send(textPlan("x".repeat(size)), "keep", NOW);
    assert.equal(sender.isStalled(milliseconds(0)), false);
    assert.equal(await sending, "cut");
    assert.equal(sender.bodyBytesSent, 0);
  });
}

test("ResponseSender: stalled only when bytes wait and none is taken", async () => {
  const { transport, sender } = open();
  assert.equal(sender.isStalled(milliseconds(1_000_000)), false);
  transport.room = 1;
  const sending = sender.send(textPlan("x"), "keep", NOW);
  assert.equal(sender.isStalled(milliseconds(999)), false);
  transport.read(1);
  assert.equal(sender.isStalled(milliseconds(1000)), false, "it moved");
  assert.equal(sender.isStalled(milliseconds(1999)), false);
  assert.equal(sender.isStalled(milliseconds(2000)), true);
  transport.read();
  assert.equal(await sending, "sent");
  assert.equal(sender.isStalled(milliseconds(1_000_000)), false);
});

// ---- 100 Continue

for (const size of [0, 10, 64 * KIB + 1]) {
  test(`ResponseSender: a response of ${size} bytes waits behind a 100 that waits for the client`, async () => {
    const { transport, sender } = open();
    transport.room = 5;
    sender.sendInterim(Buffer.from(CONTINUE));
    const text = "x".repeat(size);
    const sending = sender.send(textPlan(text), "keep", NOW);
    assert.equal(transport.writes, 1);
    transport.read();
    assert.equal(await sending, "sent");
    assert.equal(transport.take(), CONTINUE + response(text));
    assert.equal(sender.bodyBytesSent, size);
  });
}

test("ResponseSender: behind a 100 a response may have to wait a second time", async () => {
  const { transport, sender } = open();
  transport.room = 5;
  sender.sendInterim(Buffer.from(CONTINUE));
  const sending = sender.send(textPlan("text"), "keep", NOW);
  transport.read(30);
  await settle();
  assert.ok(transport.unsent > 0);
  transport.read();
  assert.equal(await sending, "sent");
  assert.equal(transport.take(), CONTINUE + response("text"));
});

test("ResponseSender: a client that vanishes before its 100 has got nothing of the response", async () => {
  const { transport, sender } = open();
  transport.room = 5;
  sender.sendInterim(Buffer.from(CONTINUE));
  const sending = sender.send(textPlan("text"), "keep", NOW);
  transport.vanish();
  assert.equal(await sending, "cut");
  assert.equal(sender.bodyBytesSent, 0);
  sender.sendInterim(Buffer.from(CONTINUE));
  assert.equal(transport.writes, 1);
});

test("ResponseSender: a client that takes nothing of its 100 stalls the response behind it", async () => {
  const { transport, sender } = open();
  transport.room = 5;
  sender.sendInterim(Buffer.from(CONTINUE));
  void sender.send(textPlan("text"), "keep", NOW);
  assert.equal(sender.isStalled(milliseconds(999)), false);
  assert.equal(sender.isStalled(milliseconds(1000)), true);
});

// ---- files, seen from the connection

interface Opened extends OpenSource {
  readonly size: number;
}

function openFile(t: TestContext, size: number): Opened {
  const directory = mkdtempSync(join(tmpdir(), "comanche-sender-"));
  const descriptor = openSync(join(directory, "file"), "w+");
  t.after(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  writeSync(descriptor, Buffer.alloc(size, "0123456789"));
  return { size, ...openSource(descriptor) };
}

function filePlan(source: Opened): ResponsePlan {
  const fields = [{ name: "Content-Length", value: String(source.size) }];
  return {
    status: 200,
    fields,
    body: { kind: "file", source, start: bytes(0), end: bytes(source.size), isJoined: false },
  };
}

/** Sends the file and counts how often it was released. */
function serveFile(source: Opened, released: { count: number }): Handler {
  return async (_, writer) => {
    try {
      await writer.send(filePlan(source));
    } finally {
      released.count += 1;
    }
  };
}

async function recorded(rig: ConnectionRig): Promise<void> {
  while (rig.records.length === 0) await turn();
  await settle();
}

test("a file is sent, and the connection goes on", async (t) => {
  const released = { count: 0 };
  const source = openFile(t, 3_000_000);
  const rig = new ConnectionRig(serveFile(source, released));
  rig.transport.send(get("/"));
  await recorded(rig);
  assert.ok(rig.transport.take() === response("0123456789".repeat(300_000)));
  assert.deepEqual(
    rig.records.map(({ outcome, bodyBytes }) => [outcome === "sent", bodyBytes]),
    [[true, 3_000_000]],
  );
  assert.equal(released.count, 1);
  assert.equal(rig.transport.hasEnded, false);
});

test("a file for a slow client: one buffer full at a time, and what arrives is right", async (t) => {
  const source = openFile(t, 3_000_000);
  const rig = new ConnectionRig(serveFile(source, { count: 0 }));
  rig.transport.room = 0;
  rig.transport.send(get("/"));
  while (rig.records.length === 0) {
    await turn();
    assert.ok(rig.transport.unsent <= KIB * KIB + 1000);
    rig.transport.read(100_000);
  }
  assert.ok(rig.transport.take() === response("0123456789".repeat(300_000)));
});

test("a file truncated while it is sent: the connection is cut, and the log says why and how much", async (t) => {
  const released = { count: 0 };
  const source = openFile(t, 3_000_000);
  const rig = new ConnectionRig(serveFile(source, released));
  rig.transport.room = 0;
  rig.transport.send(get("/") + get("/next"));
  while (rig.transport.unsent === 0) await turn();
  ftruncateSync(source.descriptor, 2_000_000);
  rig.transport.read();
  await recorded(rig);
  assert.deepEqual(
    rig.records.map(({ outcome, reason, bodyBytes }) => [outcome === "sent", reason, bodyBytes]),
    [[false, "changed-while-sending", 1920 * KIB]],
  );
  assert.equal(rig.transport.isClosed, true);
  assert.equal(released.count, 1);
  assert.equal(rig.gone, 1);
  assert.deepEqual(rig.faults, []);
});

test("a client that vanishes in the middle of a file: released, and the log tells what it took", async (t) => {
  const released = { count: 0 };
  const source = openFile(t, 3_000_000);
  const rig = new ConnectionRig(serveFile(source, released));
  const head = response("").replace("Length: 0", "Length: 3000000").length;
  rig.transport.room = head + 1_000_000;
  rig.transport.send(get("/"));
  while (rig.transport.unsent === 0) await turn();
  rig.transport.vanish();
  await recorded(rig);
  assert.deepEqual(
    rig.records.map(({ outcome, bodyBytes }) => [outcome === "sent", bodyBytes]),
    [[false, 1_000_000]],
  );
  assert.equal(released.count, 1);
  assert.equal(rig.gone, 1);
});

test("a file that cannot be read before anything was sent: 503, no fault of ours, and the connection is kept", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "comanche-sender-"));
  const descriptor = openSync(directory, "r");
  t.after(() => {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  });
  const { identity } = openSource(descriptor);
  const source = { descriptor, size: 10, identity: { ...identity, size: bytes(10) }, isSettled: true };
  const released = { count: 0 };
  const rig = new ConnectionRig(serveFile(source, released));
  rig.transport.send(get("/"));
  await recorded(rig);
  assert.match(rig.transport.take(), /^HTTP\/1\.1 503 .*\r\n\r\nunreadable\n$/s);
  assert.deepEqual(rig.faults, []);
  assert.deepEqual(
    rig.records.map(({ status, reason, outcome }) => [status, reason, outcome]),
    [[503, "unreadable", "sent"]],
  );
  assert.equal(rig.transport.isClosed, false);
  assert.equal(released.count, 1);
});

test("a file that became shorter before anything was sent: 503", async (t) => {
  const source = openFile(t, 100);
  ftruncateSync(source.descriptor, 0);
  const rig = new ConnectionRig(serveFile(source, { count: 0 }));
  rig.transport.send(get("/"));
  await recorded(rig);
  assert.match(rig.transport.take(), /^HTTP\/1\.1 503 .*\r\n\r\nchanged-while-sending\n$/s);
});
