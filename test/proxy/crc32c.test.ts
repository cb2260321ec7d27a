import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "../../src/proxy/crc32c.ts";

// The last four are those of RFC 3720, appendix B.4.
const cases: [name: string, bytes: Uint8Array, want: number][] = [
  ["nothing", new Uint8Array(0), 0],
  ["the digits 1 to 9", Buffer.from("123456789"), 0xe3069283],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 times FF", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["00 to 1F", Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ["1F to 00", Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
];
for (const [name, bytes, want] of cases) {
  test(`crc32c: ${name}`, () => assert.equal(crc32c(bytes), want));
}
