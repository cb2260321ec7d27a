import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FieldBlocks, type KnownFields } from "../../src/http/field-blocks.ts";
import { ParsedFields } from "../../src/http/parsed-fields.ts";

function known(): KnownFields {
  return { fields: new ParsedFields("", [], 0), host: undefined };
}

const BLOCK = Buffer.from("Host: a\r\nAccept: b\r\n\r\n");

test("FieldBlocks: finds what it keeps, wherever it lies", () => {
  const blocks = new FieldBlocks();
  const kept = known();
  blocks.keep(BLOCK, 0, BLOCK.length, kept);
  assert.equal(blocks.find(BLOCK, 0, BLOCK.length), kept);
  const elsewhere = Buffer.concat([Buffer.from("GET / HTTP/1.1\r\n"), BLOCK]);
  assert.equal(blocks.find(elsewhere, 16, elsewhere.length), kept);
});

test("FieldBlocks: keeps a copy", () => {
  const blocks = new FieldBlocks();
  const bytes = Buffer.from(BLOCK);
  const kept = known();
  blocks.keep(bytes, 0, bytes.length, kept);
  bytes.fill(0);
  assert.equal(blocks.find(BLOCK, 0, BLOCK.length), kept);
  assert.equal(blocks.find(bytes, 0, bytes.length), undefined);
});

test("FieldBlocks: any other byte, and any other length, is another block", () => {
  const blocks = new FieldBlocks();
  blocks.keep(BLOCK, 0, BLOCK.length, known());
  for (let at = 0; at < BLOCK.length; at += 1) {
    const other = Buffer.from(BLOCK);
    other.writeUInt8((BLOCK.readUInt8(at) + 1) & 0xff, at);
    assert.equal(blocks.find(other, 0, other.length), undefined, `byte ${at}`);
    assert.equal(blocks.find(BLOCK, 0, at), undefined, `${at} bytes`);
  }
  const more = Buffer.concat([BLOCK, Buffer.from("x")]);
  assert.equal(blocks.find(more, 0, more.length), undefined);
});

for (const [length, isKept] of [
  [2048, true],
  [2049, false],
] as const) {
  test(`FieldBlocks: a block of ${length} bytes is ${isKept ? "" : "not "}kept`, () => {
    const blocks = new FieldBlocks();
    const block = Buffer.alloc(length, "x");
    blocks.keep(block, 0, block.length, known());
    assert.equal(blocks.find(block, 0, block.length) !== undefined, isKept);
  });
}

test("FieldBlocks: whatever was kept, what is found was kept for these very bytes", () => {
  // Few different bytes and lengths, so that many share a place.
  const block = fc.uint8Array({ min: 0, max: 2, minLength: 1, maxLength: 6 }).map((octets) => Buffer.from(octets));
  fc.assert(
    fc.property(fc.array(block, { maxLength: 200 }), (all) => {
      const blocks = new FieldBlocks();
      const bytesOf = new Map<KnownFields, string>();
      for (const bytes of all) {
        const found = blocks.find(bytes, 0, bytes.length);
        if (found !== undefined) assert.equal(bytesOf.get(found), bytes.toString("hex"));
        const kept = known();
        bytesOf.set(kept, bytes.toString("hex"));
        blocks.keep(bytes, 0, bytes.length, kept);
        assert.equal(blocks.find(bytes, 0, bytes.length), kept);
      }
    }),
  );
});
