import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds } from "../../src/base/units.ts";
import { TurnedAway } from "../../src/connection/turned-away.ts";
import type { TransportEvents } from "../../src/transport/transport.ts";
import { settle } from "../support/connection-rig.ts";
import { FakeTransport } from "../support/fake-transport.ts";

const ANSWER = Buffer.from("HTTP/1.1 503 Service Unavailable\r\n\r\n");

class Accepted extends FakeTransport {
  start(events: TransportEvents): void {
    this.listen(events);
  }
}

class Fixture {
  empties = 0;
  readonly turnedAway = new TurnedAway(assert.ifError, () => {
    this.empties += 1;
  });

  add(now = 0): Accepted {
    const transport = new Accepted();
    this.turnedAway.add(transport, ANSWER, milliseconds(now));
    return transport;
  }
}

test("TurnedAway: one answer, whatever the client sends, until it closes its side", async () => {
  const fixture = new Fixture();
  const client = fixture.add();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
  await settle();
  assert.deepEqual([client.take(), client.hasEnded, client.isClosed], [ANSWER.toString(), true, false]);
  client.halfClose();
  await settle();
  assert.deepEqual([client.take(), client.isClosed, fixture.turnedAway.count, fixture.empties], ["", true, 0, 1]);
});

test("TurnedAway: a client that keeps its side open has a second, and not one that sends on and on", async () => {
  const fixture = new Fixture();
  const silent = fixture.add(0);
  const later = fixture.add(500);
  const loud = fixture.add(500);
  loud.send("x".repeat(64 * 1024 + 1));
  await settle();
  assert.deepEqual([silent.isClosed, later.isClosed, loud.isClosed], [false, false, true]);
  fixture.turnedAway.sweep(milliseconds(1000));
  await settle();
  assert.deepEqual([silent.isClosed, later.isClosed, fixture.empties], [true, false, 0]);
  fixture.turnedAway.sweep(milliseconds(1500));
  await settle();
  assert.deepEqual([later.isClosed, fixture.empties], [true, 1]);
});

test("TurnedAway: of more than 64, the one that has waited longest closes, and each has its answer", async () => {
  const fixture = new Fixture();
  const clients = Array.from({ length: 70 }, () => fixture.add());
  await settle();
  assert.equal(fixture.turnedAway.count, 64);
  assert.deepEqual(
    clients.map(({ isClosed }) => isClosed),
    clients.map((_, index) => index < 6),
  );
  for (const client of clients) assert.equal(client.take(), ANSWER.toString());
  fixture.turnedAway.destroyAll();
  await settle();
  assert.ok(clients.every(({ isClosed }) => isClosed));
  assert.equal(fixture.empties, 1);
});
