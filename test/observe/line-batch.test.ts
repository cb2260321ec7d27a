import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { LineBatch } from "../../src/observe/line-batch.ts";

const textOf = (batch: Uint8Array): string => Buffer.from(batch).toString("latin1");

test("LineBatch: batches hold the lines in order, whatever their lengths and whether memory is given back", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary-ascii", maxLength: 40 }),
    fc.nat(9000).map((length) => "x".repeat(length)),
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: line },
    fc.constant("take" as const),
    fc.constant("take, give back" as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const batch = new LineBatch(bytes(4096));
      let open = "";
      const kept: { bytes: Uint8Array; text: string }[] = [];
      for (const next of steps) {
        if (next === "take" || next === "take, give back") {
          const bytes = batch.take();
          assert.equal(textOf(bytes), open);
          if (next === "take") kept.push({ bytes, text: open });
          else batch.giveBack(bytes);
          open = "";
        } else {
          batch.add(next);
          open += `${next}\n`;
        }
        assert.equal(batch.length, open.length);
      }
      for (const { bytes, text } of kept) assert.equal(textOf(bytes), text);
    }),
  );
});

test("LineBatch: memory that was given back is used again", () => {
  const batch = new LineBatch(bytes(4096));
  batch.add("one");
  const first = batch.take();
  batch.giveBack(first);
  batch.add("two");
  const second = batch.take();
  assert.equal(second.buffer, first.buffer);
  batch.add("three");
  assert.notEqual(batch.take().buffer, first.buffer);
});
