import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import { crc32c } from "../../src/proxy/decode-v2.ts";
import { assertHeader, assertRejectedAtEnd } from "./feed.ts";

const FIXED = Buffer.from("0d0a0d0a000d0a515549540a2111", "hex");
const ADDRESSES = Buffer.from("c0000201c6336407dc0401bb", "hex");
const client = { address: "192.0.2.1", port: 56324 };
const server = { address: "198.51.100.7", port: 443 };

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function tlv(type: number, ...values: (string | Uint8Array)[]): Buffer {
  const value = Buffer.concat(values.map((one) => (typeof one === "string" ? Buffer.from(one) : one)));
  return Buffer.concat([Buffer.from([type]), uint16(value.length), value]);
}

function header(...tlvs: Uint8Array[]): Buffer {
  const rest = Buffer.concat([ADDRESSES, ...tlvs]);
  return Buffer.concat([FIXED, uint16(rest.length), rest]);
}

/** A header that announces `length` octets of TLVs and has brought some. */
function begun(length: number, brought: string): Buffer {
  return Buffer.concat([
    FIXED,
    uint16(ADDRESSES.length + length),
    ADDRESSES,
    Buffer.from(brought.replaceAll(" ", ""), "hex"),
  ]);
}

const sslHead = (flags: number, verify = 0) => Buffer.from([flags, 0, 0, verify >> 8, verify & 0xff]);
const version = tlv(0x21, "TLSv1.3");
const commonName = tlv(0x22, "Zoë");
const cipher = tlv(0x23, "TLS_AES_256_GCM_SHA384");
const NOT_UTF8 = Buffer.from([0x5a, 0x6f, 0xeb]);

const accepted: [name: string, tlvs: Uint8Array[], usesTls?: true][] = [
  ["none", []],
  ["ALPN", [tlv(0x01, "http/1.1")]],
  ["an authority", [tlv(0x02, "www.example.com")]],
  ["an empty authority", [tlv(0x02)]],
  ["an authority with control characters", [tlv(0x02, "a\0\r\nb")]],
  ["text that is not UTF-8", [tlv(0x02, NOT_UTF8), tlv(0x01, "h2")]],
  ["a unique id of 128 octets", [tlv(0x05, new Uint8Array(128))]],
  ["padding, repeated too", [tlv(0x04), tlv(0x04, "\0\0\0"), tlv(0x01, "h2"), tlv(0x04, "\0")]],
  ["a network namespace", [tlv(0x30, "blue"), tlv(0x01, "h2")]],
  ["private types, repeated too", [tlv(0xea, "\x01vpce-1"), tlv(0xea, "x"), tlv(0xff)]],
  ["SSL without TLS", [tlv(0x20, sslHead(0, 1))]],
  ["SSL without anything inside", [tlv(0x20, sslHead(1))], true],
  ["SSL behind other types", [tlv(0x02, "a"), tlv(0xea), tlv(0x20, sslHead(1, 1))], true],
  ["SSL with a certificate, but without TLS", [tlv(0x20, sslHead(6))]],
  ["SSL with everything", [tlv(0x20, sslHead(7), version, commonName, cipher)], true],
  ["a common name that is not UTF-8", [tlv(0x20, sslHead(7), tlv(0x22, NOT_UTF8), version)], true],
  [
    "types within SSL are others than those outside",
    [
      tlv(0x20, sslHead(1), tlv(0x02, "inside"), tlv(0x24, "SHA256"), tlv(0x25, "RSA2048"), tlv(0x25, "x")),
      tlv(0x21, "x"),
    ],
    true,
  ],
];
for (const [name, tlvs, usesTls = false] of accepted) {
  test(`TLVs: ${name}`, () => assertHeader(header(...tlvs), { source: "proxied", client, server, usesTls }));
}

const LENGTH = "malformed TLV length";
const REPEATED = "TLV repeated";

// The last byte of each is the first wrong one.
const faults: [name: string, input: Uint8Array, why: string][] = [
  ["a length beyond the header", begun(3, "01 0001"), LENGTH],
  ["a length far beyond the header", begun(10, "01 01"), LENGTH],
  ["a length beyond the header in the second", begun(8, "01 0002 6832 02 0001"), LENGTH],
  ["one octet left behind", begun(4, "01 0000"), LENGTH],
  ["two octets left behind", begun(7, "01 0002"), LENGTH],
  ["an unknown type beyond the header", begun(4, "ee 0002"), LENGTH],
  ["a CRC32C of three octets", begun(20, "03 0003"), LENGTH],
  ["a CRC32C of five octets", begun(20, "03 0005"), LENGTH],
  ["a CRC32C of 256 octets", begun(2000, "03 01"), LENGTH],
  ["a unique id of 129 octets", begun(2000, "05 0081"), LENGTH],
  ["SSL of four octets", begun(2000, "20 0004"), LENGTH],
  ["SSL with one octet left behind", begun(2000, "20 0006"), LENGTH],
  ["SSL with two octets left behind", begun(2000, "20 0007"), LENGTH],
  ["a length beyond SSL, but within the header", begun(2000, "20 0009 01 00000000 21 0002"), LENGTH],
  ["a length far beyond SSL", begun(2000, "20 0009 01 00000000 21 01"), LENGTH],
  ["an octet left behind within SSL", begun(2000, "20 000a 01 00000000 21 0001"), LENGTH],
  ["ALPN twice", begun(2000, "01 0000 01"), REPEATED],
  ["an authority twice, with others between", begun(2000, "02 0000 04 0000 01 0000 02"), REPEATED],
  ["a CRC32C twice", begun(2000, "03 0004 00000000 03"), REPEATED],
  ["SSL twice", begun(2000, "20 0005 01 00000000 20"), REPEATED],
  ["a common name twice", begun(2000, "20 0010 01 00000000 22 0000 22"), REPEATED],
];
for (const [name, input, why] of faults) {
  test(`TLVs reject ${name}`, () => assertRejectedAtEnd(input, why));
}

/** With the checksum filled in, wherever its place is. */
function checked(...tlvs: Uint8Array[]): Buffer {
  const sum = Buffer.alloc(4);
  const bytes = header(...tlvs);
  sum.writeUInt32BE(crc32c(bytes));
  const at = bytes.indexOf(Buffer.from([0x03, 0, 4, 0, 0, 0, 0]));
  sum.copy(bytes, at + 3);
  return bytes;
}

const checksum = tlv(0x03, new Uint8Array(4));
const guarded: [name: string, bytes: Buffer][] = [
  ["alone", checked(checksum)],
  ["in front", checked(checksum, tlv(0x01, "h2"))],
  ["at the end", checked(tlv(0x01, "h2"), checksum)],
];
for (const [name, bytes] of guarded) {
  test(`a checksum ${name} is verified`, () => {
    assertHeader(bytes, { source: "proxied", client, server, usesTls: false });
    const sumAt = bytes.indexOf(Buffer.from([0x03, 0, 4])) + 3;
    const addressesAt = FIXED.length + 2;
    for (const [start, length] of [
      [addressesAt, ADDRESSES.length],
      [sumAt, 4],
    ] as const) {
      for (let bit = start * 8; bit < (start + length) * 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        assertRejectedAtEnd(flipped, "wrong CRC32C");
      }
    }
  });
}

test("TLVs: all that HAProxy 2.6 can send", () => {
  const bytes = Buffer.from(
    "0d0a0d0a000d0a515549540a211100a57f0000017f090901be2e1d13030004e493910b010002683202000f7777772e6578616d706c652e63" +
      "6f6d05002434333133306139362d373835622d346538382d626235392d6465376363393964613930352000510700000000210007544c53" +
      "76312e3322000a5a6f6520636c69656e74250005454332353624001165636473612d776974682d534841323536230016544c535f414553" +
      "5f3235365f47434d5f534841333834",
    "hex",
  );
  assertHeader(bytes, {
    source: "proxied",
    client: { address: "127.0.0.1", port: 48686 },
    server: { address: "127.9.9.1", port: 7443 },
    usesTls: true,
  });
});

test("what was decoded does not change with the bytes it came from", () => {
  const bytes = header(tlv(0x05, "id"), tlv(0x02, "name"));
  const before = decodeProxyHeader(bytes);
  const kept = structuredClone(before);
  bytes.fill(0);
  assert.deepEqual(before, kept);
});

// The last four are those of RFC 3720, appendix B.4.
const checksums: [name: string, bytes: Uint8Array, want: number][] = [
  ["nothing", new Uint8Array(0), 0],
  ["the digits 1 to 9", Buffer.from("123456789"), 0xe3069283],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 times FF", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["00 to 1F", Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ["1F to 00", Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
];
for (const [name, bytes, want] of checksums) {
  test(`crc32c: ${name}`, () => assert.equal(crc32c(bytes), want));
}
