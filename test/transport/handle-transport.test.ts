import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { WritePool } from "../../src/transport/handle-pool.ts";
import { HandleTransport } from "../../src/transport/handle-transport.ts";
import type { NodeInternals, StreamHandle } from "../../src/transport/node-internals.ts";

/** What libuv has still to give, a byte at a time, as long as somebody reads. */
class FakeHandle implements StreamHandle {
  readonly writeQueueSize = 0;
  onread: (this: StreamHandle) => void = () => undefined;
  isReading = false;

  /** @returns how many were read before it was told to stop */
  give(most: number): number {
    let given = 0;
    for (; given < most && this.isReading; given += 1) this.onread.call(this);
    return given;
  }

  readStart(): number {
    this.isReading = true;
    return 0;
  }

  readStop(): number {
    this.isReading = false;
    return 0;
  }

  useUserBuffer = (): number => 0;
  writeBuffer = (): number => 0;
  writev = (): number => 0;
  shutdown = (): number => 0;
  close = (): void => undefined;
}

/** Each read is told to be of one byte. */
const INTERNALS: NodeInternals = {
  WriteWrap: class {},
  ShutdownWrap: class {},
  streamBaseState: Int32Array.of(1, 0),
  kReadBytesOrError: 0,
  kLastWriteWasAsync: 1,
  wrapTls: () => {
    throw new Error("no TLS");
  },
};

function openEnd() {
  const handle = new FakeHandle();
  const ignore = (): void => undefined;
  const end = new HandleTransport(handle, new WritePool(INTERNALS));
  end.start({ onBytes: ignore, onEnd: ignore, onDrained: ignore, onClosed: ignore }, assert.ifError);
  return { end, handle };
}

const MANY = 100_000;

test("HandleTransport: who sends in small pieces lets others have their turn", async () => {
  const { handle } = openEnd();
  const row = handle.give(MANY);
  assert.ok(row < 1000, `${row} reads in a row`);
  await turn();
  assert.equal(handle.give(MANY), row);
});

test("HandleTransport: it does not read on before the others had their turn, nor while it is paused", async () => {
  const { end, handle } = openEnd();
  handle.give(MANY);
  end.pause();
  end.resume();
  assert.equal(handle.isReading, false);
  end.pause();
  await turn();
  assert.equal(handle.isReading, false);
  end.resume();
  assert.equal(handle.isReading, true);
});

test("HandleTransport: it does not read on when it was cut meanwhile", async () => {
  const { end, handle } = openEnd();
  handle.give(MANY);
  end.cut();
  await turn();
  assert.equal(handle.isReading, false);
});
