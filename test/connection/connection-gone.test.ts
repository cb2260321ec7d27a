import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionRig, Gate, get, settle, textPlan } from "../support/connection-rig.ts";

/** A connection with one request whose handler waits, and the signal that the handler asked for. */
async function waitingRequest(): Promise<{ rig: ConnectionRig; gate: Gate; gone: AbortSignal }> {
  const gate = new Gate();
  const asked: AbortSignal[] = [];
  const rig = new ConnectionRig(async (request, writer) => {
    asked.push(request.gone);
    await gate.opened;
    await writer.send(textPlan("late"));
  });
  await rig.exchange(get("/"));
  const [gone] = asked;
  assert.ok(gone !== undefined);
  return { rig, gate, gone };
}

test("gone: a handler that waits is told when the connection is lost", async () => {
  const { rig, gate, gone } = await waitingRequest();
  assert.equal(gone.aborted, false);
  rig.transport.destroy();
  await settle();
  assert.equal(gone.aborted, true);
  gate.open();
  await settle();
  assert.deepEqual([rig.gone, rig.faults], [1, []]);
});

test("gone: a client that has ended its own side still waits for the answer", async () => {
  const { rig, gate, gone } = await waitingRequest();
  rig.connection.onEnd();
  await settle();
  assert.equal(gone.aborted, false);
  gate.open();
  await settle();
  assert.match(rig.transport.take(), /late$/);
});

test("gone: a client that ended its side a second ago has most likely left, when others wait for a thread", async () => {
  const { rig, gate, gone } = await waitingRequest();
  await rig.pass(5000);
  rig.connection.onEnd();
  await rig.pass(500);
  rig.hasWaitingTasks = true;
  await rig.pass(499);
  assert.equal(gone.aborted, false);
  await rig.pass(1);
  assert.equal(gone.aborted, true);
  gate.open();
  await settle();
  assert.match(rig.transport.take(), /late$/);
  assert.deepEqual(rig.faults, []);
});

test("gone: an answer that is complete is not called back", async () => {
  const { rig, gate, gone } = await waitingRequest();
  gate.open();
  await settle();
  rig.transport.destroy();
  await settle();
  assert.equal(gone.aborted, false);
});

test("gone: whoever asks only then is told so, too", async () => {
  const gate = new Gate();
  const told: boolean[] = [];
  const rig = new ConnectionRig(async (request, writer) => {
    await gate.opened;
    told.push(request.gone.aborted);
    await writer.send(textPlan("late"));
  });
  await rig.exchange(get("/"));
  rig.transport.destroy();
  await settle();
  gate.open();
  await settle();
  assert.deepEqual(told, [true]);
});
