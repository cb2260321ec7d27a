import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteQueue } from "../../src/connection/byte-queue.ts";

test("ByteQueue: gives back what was put in, in order, whatever is taken in between", () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 6000 }), fc.nat(9000));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new ByteQueue();
      let model = Buffer.alloc(0);
      for (const one of steps) {
        if (typeof one === "number") {
          const count = Math.min(one, model.length);
          queue.consume(count);
          model = model.subarray(count);
        } else {
          queue.append(one);
          model = Buffer.concat([model, one]);
        }
        assert.equal(queue.length, model.length);
        assert.ok(queue.view.equals(model));
      }
    }),
  );
});

test("ByteQueue: a view stays as it was when more is appended, also after it was consumed", () => {
  const queue = new ByteQueue();
  const views: [Buffer, string][] = [];
  for (let i = 0; i < 200; i += 1) {
    const text = String(i).repeat(20 + i);
    queue.append(Buffer.from(text));
    const { view } = queue;
    views.push([view, view.toString()]);
    if (i % 3 === 0) queue.consume(view.length >> 1);
    if (i % 7 === 0) queue.consume(queue.length);
  }
  for (const [view, text] of views) assert.equal(view.toString(), text);
});

test("ByteQueue: copies, so that the chunk may be used again", () => {
  const queue = new ByteQueue();
  const chunk = Buffer.from("abc");
  queue.append(chunk);
  chunk.fill("x");
  assert.equal(queue.view.toString(), "abc");
});

test("ByteQueue: an empty queue holds no memory", () => {
  const queue = new ByteQueue();
  queue.append(Buffer.alloc(1_000_000));
  queue.consume(1_000_000);
  assert.equal(queue.view.buffer.byteLength, new ByteQueue().view.buffer.byteLength);
});
