import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { type ByteRange, MAX_RANGES } from "../../src/http/byte-range.ts";
import {
  formatBoundary,
  formatMultipartType,
  joinMultipart,
  planMultipartRanges,
} from "../../src/http/multipart-ranges.ts";

const range = (start: number, end: number): ByteRange => ({ start: bytes(start), end: bytes(end) });

test("two parts, to the byte", () => {
  const content = Buffer.from("0123456789");
  const file = { size: bytes(10), mediaType: "text/plain; charset=utf-8" };
  const plan = planMultipartRanges(file, [range(7, 10), range(0, 2)], "b");
  const body = joinMultipart(content, plan);
  const want = [
    "",
    "--b",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Range: bytes 7-9/10",
    "",
    "789",
    "--b",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Range: bytes 0-1/10",
    "",
    "01",
    "--b--",
    "",
  ].join("\r\n");
  assert.equal(Buffer.from(body).toString("latin1"), want);
  assert.equal(plan.length, want.length);
});

test("the heads of as many parts as allowed need less than 64 KiB, however large the file is", () => {
  const file = { size: bytes(Number.MAX_SAFE_INTEGER), mediaType: "application/vnd.oasis.opendocument.text-template" };
  const last = range(file.size - 1, file.size);
  const boundary = formatBoundary({ weak: false, opaque: "tag" }, "nonce");
  const plan = planMultipartRanges(file, Array<ByteRange>(MAX_RANGES).fill(last), boundary);
  assert.ok(plan.length - MAX_RANGES < 64 * 1024, `${plan.length} bytes`);
});

test("the type names the boundary", () => {
  assert.equal(formatMultipartType("part-x"), "multipart/byteranges; boundary=part-x");
});

test("the parts cut the body into preambles and slices of the file, and `length` is its length", () => {
  const slice = fc
    .tuple(fc.nat(199), fc.nat(199))
    .map(([one, other]) => range(Math.min(one, other), Math.max(one, other) + 1));
  const ranges = fc.array(slice, { minLength: 1, maxLength: 16 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 200, maxLength: 200 }), ranges, (content, slices) => {
      const plan = planMultipartRanges({ size: bytes(200), mediaType: "a/b" }, slices, "boundary");
      const body = joinMultipart(content, plan);
      assert.equal(body.length, plan.length);

      let at = 0;
      for (const [index, part] of plan.parts.entries()) {
        assert.deepEqual(range(part.start, part.end), slices[index]);
        at += part.preamble.length;
        const length = part.end - part.start;
        assert.deepEqual([...body.subarray(at, at + length)], [...content.subarray(part.start, part.end)]);
        at += length;
      }
      assert.equal(at + plan.epilogue.length, plan.length);
    }),
  );
});

const tag = (opaque: string) => ({ weak: false, opaque });

test("formatBoundary: the same for the same version and process", () => {
  assert.equal(formatBoundary(tag("a"), "nonce"), formatBoundary(tag("a"), "nonce"));
});

test("formatBoundary: another for another version, and for another process", () => {
  const boundary = formatBoundary(tag("a"), "nonce");
  assert.notEqual(formatBoundary(tag("b"), "nonce"), boundary);
  assert.notEqual(formatBoundary(tag("a"), "other"), boundary);
});

test("formatBoundary: needs no quotes and fits into RFC 2046", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (opaque, nonce) => {
      assert.match(formatBoundary(tag(opaque), nonce), /^[0-9a-z-]{6,70}$/);
    }),
  );
});
