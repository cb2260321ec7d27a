import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { probeHandles } from "../../src/tls/probe-handles.ts";
import { WritePool } from "../../src/transport/handle-pool.ts";
import { HandleTransport } from "../../src/transport/handle-transport.ts";
import { findNodeInternals, type NodeInternals } from "../../src/transport/node-internals.ts";
import { countDescriptors, descriptorsUncounted } from "../support/served-site.ts";

const found = findNodeInternals();
const withheld = found.kind === "missing" ? found.why : false;

test("probeHandles: this Node passes", { skip: withheld }, async () => {
  assert.equal((await probeHandles()).kind, "handle");
});

test("probeHandles: what is withheld is not used, and the reason is told", {
  skip: !withheld && "nothing is withheld here",
}, async () => {
  assert.deepEqual(await probeHandles(), { kind: "socket", why: withheld });
});

test("probeHandles: nothing stays open", { skip: withheld || descriptorsUncounted }, async () => {
  await probeHandles();
  const before = countDescriptors();
  await Promise.all([probeHandles(), probeHandles()]);
  // Closed sockets are let go at the end of a turn.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.ok(countDescriptors() <= before);
});

/** Ways in which another version of Node may differ without looking different. */
const faults: [name: string, spoil: (t: TestContext, internals: NodeInternals) => void, why: RegExp][] = [
  [
    "reads lose their last byte",
    (t) => {
      const start = HandleTransport.prototype.start;
      t.mock.method(
        HandleTransport.prototype,
        "start",
        function (this: HandleTransport, events: never, onFault: never) {
          const { onBytes } = events as { onBytes(chunk: Buffer): void };
          const cut = Object.assign(Object.create(events), {
            onBytes: (chunk: Buffer) => onBytes.call(events, chunk.subarray(0, 8).fill("?", 7)),
          });
          start.call(this, cut as never, onFault);
        },
      );
    },
    /other bytes are read than were sent/,
  ],
  [
    "writes always claim to be finished",
    (t) => void t.mock.method(HandleTransport.prototype, "write", () => true),
    /no write has to wait|other bytes/,
  ],
  [
    "writes always wait",
    (t) => void t.mock.method(HandleTransport.prototype, "write", () => false),
    /a small write is not taken at once/,
  ],
  [
    "what waits is not told",
    (t) => void t.mock.getter(HandleTransport.prototype, "unsent", () => 0),
    /what waits to be written is not told/,
  ],
  [
    "a function throws",
    (t) =>
      void t.mock.method(HandleTransport.prototype, "end", () => {
        throw new Error("no such thing");
      }),
    /no such thing/,
  ],
];
for (const [name, spoil, why] of faults) {
  test(`probeHandles: ${name}: sockets serve`, { skip: withheld }, async (t) => {
    assert.ok(found.kind === "found");
    spoil(t, found.internals);
    const choice = await probeHandles();
    assert.ok(choice.kind === "socket");
    assert.match(choice.why, /^the self-test failed: /);
    assert.match(choice.why, why);
  });
}

test("probeHandles: a test that does not end fails in time", { skip: withheld }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(HandleTransport.prototype, "start", () => t.mock.timers.tick(20_000));
  const choice = await probeHandles();
  assert.deepEqual(choice, { kind: "socket", why: "the self-test failed: not finished after 20 s" });
});

test("WritePool: a write that waits uses a request up, others do not", { skip: withheld }, () => {
  assert.ok(found.kind === "found");
  assert.ok(new WritePool(found.internals).spareWrite instanceof found.internals.WriteWrap);
});
