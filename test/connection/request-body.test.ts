import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { ByteQueue } from "../../src/connection/byte-queue.ts";
import { type PresentFraming, RequestBody } from "../../src/connection/request-body.ts";

const MAX_BODY = bytes(1000);
const NEXT = "GET /next";

interface Encoded {
  readonly framing: PresentFraming;
  readonly wire: Buffer;
}

function encode(kind: "length" | "chunked", content: Buffer): Encoded {
  if (kind === "length") return { framing: { kind, length: bytes(content.length) }, wire: content };
  const pieces = [content.subarray(0, content.length >> 1), content.subarray(content.length >> 1)];
  const chunks = pieces
    .filter((piece) => piece.length > 0)
    .map((piece) => Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]));
  return { framing: { kind }, wire: Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]) };
}

function cutAt(input: Buffer, points: readonly number[]): Buffer[] {
  const places = points.map((point) => point % (input.length + 1)).sort((a, b) => a - b);
  return [...places, input.length].map((place, index) => input.subarray(places[index - 1] ?? 0, place));
}

const kinds = fc.constantFrom("length" as const, "chunked" as const);
const contents = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

test("RequestBody: content goes to the reader, what follows stays, however the bytes arrive", async () => {
  await fc.assert(
    fc.asyncProperty(kinds, contents, fc.array(fc.nat(), { maxLength: 8 }), async (kind, content, points) => {
      const { framing, wire } = encode(kind, content);
      const pieces = cutAt(Buffer.concat([wire, Buffer.from(NEXT)]), points);
      const waiting = new ByteQueue();
      // A piece arrives only when the reader has nothing left to read.
      const body = new RequestBody(framing, MAX_BODY, waiting, () => {
        queueMicrotask(() => {
          while (body.isAwaited) {
            waiting.append(pieces.shift() ?? assert.fail("nothing more to arrive"));
            body.pump();
          }
        });
      });
      const got: Uint8Array[] = [];
      for (let event = await body.read(); event.kind !== "end"; event = await body.read()) {
        assert.ok(event.kind === "chunk" && event.bytes.length > 0);
        got.push(event.bytes);
      }
      for (const piece of pieces) waiting.append(piece);
      assert.ok(Buffer.concat(got).equals(content));
      assert.equal(waiting.view.toString(), NEXT);
      assert.equal(body.isComplete, true);
    }),
    { numRuns: 200 },
  );
});

test("RequestBody: dropped, it leaves what follows too", () => {
  fc.assert(
    fc.property(kinds, contents, fc.array(fc.nat(), { maxLength: 8 }), (kind, content, points) => {
      const { framing, wire } = encode(kind, content);
      const waiting = new ByteQueue();
      const body = new RequestBody(framing, MAX_BODY, waiting, () => assert.fail("nobody reads"));
      let dropped = 0;
      for (const piece of cutAt(Buffer.concat([wire, Buffer.from(NEXT)]), points)) {
        waiting.append(piece);
        dropped += body.drop();
      }
      assert.equal(dropped, content.length);
      assert.equal(waiting.view.toString(), NEXT);
      assert.equal(body.isComplete, true);
      assert.equal(body.wasRead, false);
    }),
  );
});

test("RequestBody: the length is known only where it was announced", () => {
  const nothing = (): void => undefined;
  const counted = new RequestBody({ kind: "length", length: bytes(7) }, MAX_BODY, new ByteQueue(), nothing);
  const chunked = new RequestBody({ kind: "chunked" }, MAX_BODY, new ByteQueue(), nothing);
  assert.equal(counted.length, 7);
  assert.equal(chunked.length, undefined);
});

test("RequestBody: failed once, it stays failed, whatever arrives", async () => {
  const waiting = new ByteQueue();
  const body = new RequestBody({ kind: "length", length: bytes(3) }, MAX_BODY, waiting, () => undefined);
  const reading = body.read();
  body.fail({ status: 408, reason: "body-timeout" });
  const failed = { kind: "failed", refusal: { status: 408, reason: "body-timeout" } };
  assert.deepEqual(await reading, failed);
  waiting.append(Buffer.from("abc"));
  body.pump();
  body.fail(undefined);
  body.endInput();
  assert.deepEqual(await body.read(), failed);
  assert.equal(body.isFailed, true);
  assert.equal(body.isComplete, false);
});

test("RequestBody: a complete body does not fail any more", async () => {
  const waiting = new ByteQueue();
  waiting.append(Buffer.from("abc"));
  const body = new RequestBody({ kind: "length", length: bytes(3) }, MAX_BODY, waiting, () => undefined);
  assert.equal((await body.read()).kind, "chunk");
  body.fail(undefined);
  assert.deepEqual(await body.read(), { kind: "end" });
});
