import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { findNodeInternals } from "../../src/transport/node-internals.ts";
import { describeSplices, probeSplice } from "../../src/tunnel/probe-splice.ts";
import { SpliceHandleEnd } from "../../src/tunnel/splice-handle-end.ts";
import { countDescriptors, descriptorsUncounted } from "../support/served-site.ts";
import { until } from "../support/until.ts";

const found = findNodeInternals();
const withheld = found.kind === "missing" ? found.why : false;

test("probeSplice: this Node passes", { skip: withheld }, async () => {
  const choice = await probeSplice();
  assert.equal(choice.kind, "handle");
  assert.equal(describeSplices(choice), "tunnels are served on libuv's handles");
});

test("probeSplice: what is withheld is not used, and the reason is told", {
  skip: !withheld && "nothing is withheld here",
}, async () => {
  assert.deepEqual(await probeSplice(), { kind: "stream", why: withheld });
});

test("probeSplice: nothing stays open", { skip: withheld || descriptorsUncounted }, async () => {
  await probeSplice();
  const before = countDescriptors();
  await Promise.all([probeSplice(), probeSplice()]);
  await until("all is closed", () => countDescriptors() <= before);
});

/** Ways in which another version of Node may differ without looking different. */
const faults: [name: string, spoil: (t: TestContext) => void, why: RegExp][] = [
  [
    "writes lose their last byte",
    (t) => {
      const { write } = SpliceHandleEnd.prototype;
      t.mock.method(SpliceHandleEnd.prototype, "write", function (this: SpliceHandleEnd, chunk: Uint8Array) {
        return write.call(this, Buffer.from(chunk).fill("?", chunk.length - 1));
      });
    },
    /the back gets other bytes than were sent/,
  ],
  [
    "what waits is not told",
    (t) => void t.mock.getter(SpliceHandleEnd.prototype, "unsent", () => 0),
    /no write has to wait/,
  ],
  [
    "an end is taken for a loss",
    (t) => {
      t.mock.method(SpliceHandleEnd.prototype, "end", function (this: SpliceHandleEnd) {
        this.cut();
      });
    },
    /one end is taken for both/,
  ],
  [
    "a function throws",
    (t) =>
      void t.mock.method(SpliceHandleEnd.prototype, "start", () => {
        throw new Error("no such thing");
      }),
    /no such thing/,
  ],
];
for (const [name, spoil, why] of faults) {
  test(`probeSplice: ${name}: streams serve`, { skip: withheld }, async (t) => {
    spoil(t);
    const choice = await probeSplice();
    assert.ok(choice.kind === "stream");
    assert.match(choice.why, /^the self-test failed: /);
    assert.match(choice.why, why);
    assert.match(
      describeSplices(choice),
      /^tunnels are served on ordinary sockets, which is slower: the self-test failed/,
    );
  });
}

test("probeSplice: a test that does not end fails in time", { skip: withheld }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(SpliceHandleEnd.prototype, "start", () => t.mock.timers.tick(5000));
  const choice = await probeSplice();
  assert.deepEqual(choice, { kind: "stream", why: "the self-test failed: not finished after 5 s" });
});
