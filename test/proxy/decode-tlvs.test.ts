import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "../../src/proxy/crc32c.ts";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import type { ProxyTlvs } from "../../src/proxy/header.ts";
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

const cases: [name: string, tlvs: Uint8Array[], want: ProxyTlvs | undefined][] = [
  ["none", [], undefined],
  ["ALPN", [tlv(0x01, "http/1.1")], { alpn: "http/1.1" }],
  ["an authority", [tlv(0x02, "www.example.com")], { authority: "www.example.com" }],
  ["an authority that is not ASCII", [tlv(0x02, "bücher.example")], { authority: "bücher.example" }],
  ["an empty authority", [tlv(0x02)], { authority: "" }],
  ["an authority with control characters comes as it is", [tlv(0x02, "a\0\r\nb")], { authority: "a\0\r\nb" }],
  ["text that is not UTF-8 is none", [tlv(0x02, NOT_UTF8), tlv(0x01, "h2")], { alpn: "h2" }],
  ["a unique id", [tlv(0x05, Buffer.from([0, 255]))], { uniqueId: Uint8Array.of(0, 255) }],
  ["a unique id of 128 octets", [tlv(0x05, new Uint8Array(128))], { uniqueId: new Uint8Array(128) }],
  ["padding", [tlv(0x04), tlv(0x04, "\0\0\0"), tlv(0x01, "h2"), tlv(0x04, "\0")], { alpn: "h2" }],
  ["padding alone", [tlv(0x04, "\0\0\0")], undefined],
  ["a network namespace is skipped", [tlv(0x30, "blue"), tlv(0x01, "h2")], { alpn: "h2" }],
  ["private types are skipped, repeated ones too", [tlv(0xea, "\x01vpce-1"), tlv(0xea, "x"), tlv(0xff)], undefined],
  ["SSL without TLS is none", [tlv(0x20, sslHead(0, 1))], undefined],
  ["SSL without anything inside", [tlv(0x20, sslHead(1))], { tls: { certificate: "none", verify: 0 } }],
  [
    "SSL with everything",
    [tlv(0x20, sslHead(7), version, commonName, cipher)],
    {
      tls: {
        certificate: "in-connection",
        verify: 0,
        version: "TLSv1.3",
        commonName: "Zoë",
        cipher: "TLS_AES_256_GCM_SHA384",
      },
    },
  ],
  [
    "a certificate of this connection alone",
    [tlv(0x20, sslHead(3, 300))],
    { tls: { certificate: "in-connection", verify: 300 } },
  ],
  ["a certificate of the session", [tlv(0x20, sslHead(5, 18))], { tls: { certificate: "in-session", verify: 18 } }],
  [
    "verify is 32 bits without sign",
    [tlv(0x20, Buffer.from("01ffffffff", "hex"))],
    { tls: { certificate: "none", verify: 0xffffffff } },
  ],
  [
    "a common name that is not UTF-8 is none",
    [tlv(0x20, sslHead(7), tlv(0x22, NOT_UTF8), version)],
    { tls: { certificate: "in-connection", verify: 0, version: "TLSv1.3" } },
  ],
  [
    "types within SSL are others than those outside",
    [
      tlv(0x20, sslHead(1), tlv(0x02, "inside"), tlv(0x24, "SHA256"), tlv(0x25, "RSA2048"), tlv(0x25, "x")),
      tlv(0x21, "x"),
    ],
    { tls: { certificate: "none", verify: 0 } },
  ],
];
for (const [name, tlvs, want] of cases) {
  test(`TLVs: ${name}`, () =>
    assertHeader(header(...tlvs), {
      source: "proxied",
      client,
      server,
      ...(want === undefined ? {} : { tlvs: want }),
    }));
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
const guarded: [name: string, bytes: Buffer, want: ProxyTlvs | undefined][] = [
  ["alone", checked(checksum), undefined],
  ["in front", checked(checksum, tlv(0x01, "h2")), { alpn: "h2" }],
  ["at the end", checked(tlv(0x01, "h2"), checksum), { alpn: "h2" }],
];
for (const [name, bytes, want] of guarded) {
  test(`a checksum ${name} is verified`, () => {
    assertHeader(bytes, { source: "proxied", client, server, ...(want === undefined ? {} : { tlvs: want }) });
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
    tlvs: {
      alpn: "h2",
      authority: "www.example.com",
      uniqueId: Uint8Array.from(Buffer.from("43130a96-785b-4e88-bb59-de7cc99da905")),
      tls: {
        certificate: "in-connection",
        verify: 0,
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
        commonName: "Zoe client",
      },
    },
  });
});

test("what was decoded does not change with the bytes it came from", () => {
  const bytes = header(tlv(0x05, "id"), tlv(0x02, "name"));
  const before = decodeProxyHeader(bytes);
  const kept = structuredClone(before);
  bytes.fill(0);
  assert.deepEqual(before, kept);
});
