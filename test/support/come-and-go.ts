/**
 * A client of another thread that connects, sends and resets, while the thread that would accept it waits: the connection
 * is dead when it is accepted.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";

export function comeAndGo(t: TestContext, port: number, text = ""): void {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const visitor = new Worker(
    `const { workerData: { port, done, text } } = require("node:worker_threads");
     const socket = require("node:net").connect(port, "127.0.0.1", () => {
       socket.write(text, () => socket.resetAndDestroy());
     });
     socket.on("close", () => {
       Atomics.store(done, 0, 1);
       Atomics.notify(done, 0);
     });`,
    { eval: true, workerData: { port, done, text } },
  );
  t.after(() => visitor.terminate());
  assert.equal(Atomics.wait(done, 0, 0, 10_000), "ok");
}
