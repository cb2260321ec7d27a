/**
 * PROXY headers as a connection brings them: in pieces, with other bytes behind them.
 */
import assert from "node:assert/strict";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import type { ProxyDecoding, ProxyHeader } from "../../src/proxy/header.ts";

/** What the first decision is when bytes come in these pieces. */
export function feed(pieces: readonly Uint8Array[]): ProxyDecoding {
  let received: Uint8Array = new Uint8Array(0);
  for (const piece of pieces) {
    received = Buffer.concat([received, piece]);
    const decoding = decodeProxyHeader(received);
    if (decoding.kind !== "need-more") return decoding;
  }
  return { kind: "need-more" };
}

/** The input whole, byte by byte, and cut in two at every point. */
function* cuts(input: Uint8Array): Generator<Uint8Array[]> {
  yield [input];
  yield Array.from(input, (_, at) => input.subarray(at, at + 1));
  for (let at = 0; at <= input.length; at++) yield [input.subarray(0, at), input.subarray(at)];
}

/** That `input` is a header to its last byte, whatever follows and however it is cut. */
export function assertHeader(input: Uint8Array, header: ProxyHeader): void {
  assertDecidedByLastByte(input, { kind: "header", header, consumed: input.length });
}

/** That the last byte of `input` is the first wrong one, whatever follows and however it is cut. */
export function assertRejectedAtEnd(input: Uint8Array, why: string): void {
  assertDecidedByLastByte(input, { kind: "reject", why });
}

const FOLLOWING = ["", "\0", "GET / HTTP/1.1\r\n\r\n", "PROXY UNKNOWN\r\n", "\xff".repeat(5000)];

function assertDecidedByLastByte(input: Uint8Array, want: ProxyDecoding): void {
  for (let end = 0; end < input.length; end++) {
    assert.deepEqual(decodeProxyHeader(input.subarray(0, end)), { kind: "need-more" }, `after ${end} bytes`);
  }
  for (const pieces of cuts(input)) assert.deepEqual(feed(pieces), want);
  for (const text of FOLLOWING) {
    assert.deepEqual(decodeProxyHeader(Buffer.concat([input, Buffer.from(text, "latin1")])), want);
  }
}
