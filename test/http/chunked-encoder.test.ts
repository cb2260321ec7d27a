import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { ChunkedDecoder } from "../../src/http/chunked-decoder.ts";
import { chunkedLength, contentFitting, encodeChunked, writeChunks } from "../../src/http/chunked-encoder.ts";

const x = (count: number): string => "x".repeat(count);
const FULL = `2000\r\n${x(8192)}\r\n`;
const END = "0\r\n\r\n";

const bodies: [name: string, content: string, want: string][] = [
  ["nothing", "", END],
  ["one byte", "x", `1\r\nx\r\n${END}`],
  ["the size is in hexadecimal", x(26), `1a\r\n${x(26)}\r\n${END}`],
  ["one byte less than a chunk", x(8191), `1fff\r\n${x(8191)}\r\n${END}`],
  ["exactly a chunk", x(8192), FULL + END],
  ["one byte more than a chunk", x(8193), `${FULL}1\r\nx\r\n${END}`],
  ["exactly three chunks", x(3 * 8192), FULL + FULL + FULL + END],
  ["three chunks and a rest", x(3 * 8192 + 300), `${FULL + FULL + FULL}12c\r\n${x(300)}\r\n${END}`],
];
for (const [name, content, want] of bodies) {
  test(`encodeChunked: ${name}`, () => {
    assert.equal(Buffer.from(encodeChunked(Buffer.from(content))).toString(), want);
  });
  test(`chunkedLength: ${name}`, () => assert.equal(chunkedLength(bytes(content.length)), want.length));
}

test("chunkedLength: ten gigabytes are counted, not made", () => {
  const size = 10 * 1024 ** 3;
  assert.equal(chunkedLength(bytes(size)), (size / 8192) * FULL.length + END.length);
});

test("encodeChunked: what the decoder reads is what went in, for any content", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1, max: 255 }), (size, step) => {
      const content = Buffer.from(Array.from({ length: size }, (_, at) => (at * step) % 256));
      const encoded = encodeChunked(content);
      assert.equal(encoded.length, chunkedLength(bytes(size)));
      assert.deepEqual(decode(encoded), content);
    }),
    { numRuns: 50 },
  );
});

test("writeChunks: content at the end of the buffer is put into chunks within it, for every size that fits", () => {
  for (const room of [8205, 16_384, 20_000, 65_536]) {
    const most = contentFitting(bytes(room));
    for (const size of [0, 1, 15, 16, 4095, 4096, 8191, 8192, most - 8192, most - 1, most]) {
      if (size > most) continue;
      const buffer = Buffer.alloc(room, "?");
      const content = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7) % 251));
      content.copy(buffer, room - size);
      const length = writeChunks(buffer.subarray(room - size), buffer, true);
      assert.deepEqual(buffer.subarray(0, length), encodeChunked(content), `${size} bytes in ${room}`);
    }
  }
});

test("writeChunks: without the end, the next chunks follow on", () => {
  const target = Buffer.alloc(100);
  const first = writeChunks(Buffer.from("abc"), target, false);
  const second = writeChunks(Buffer.from("de"), target.subarray(first), true);
  assert.equal(target.toString("latin1", 0, first + second), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
});

const rooms: [name: string, room: number, want: number][] = [
  ["just one chunk and the end", 8200 + 5, 8192],
  ["one byte less than two", 2 * 8200 + 4, 8192],
  ["two", 2 * 8200 + 5, 2 * 8192],
  ["16 KiB", 16 * 1024, 8192],
  ["64 KiB", 64 * 1024, 7 * 8192],
  ["1 MiB", 1024 * 1024, 127 * 8192],
];
for (const [name, room, want] of rooms) {
  test(`contentFitting: ${name}`, () => assert.equal(contentFitting(bytes(room)), want));
}

test("contentFitting: a buffer too small for one chunk is our own fault", () => {
  assert.throws(() => contentFitting(bytes(8200 + 4)));
});

function decode(body: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  const outcome = new ChunkedDecoder(bytes(1_000_000)).push(body, (piece) => pieces.push(Buffer.from(piece)));
  assert.deepEqual(outcome, { kind: "done", consumed: body.length });
  return Buffer.concat(pieces);
}
