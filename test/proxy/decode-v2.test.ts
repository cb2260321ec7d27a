import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import type { ProxyHeader } from "../../src/proxy/header.ts";
import { assertHeader, assertRejectedAtEnd } from "./feed.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const MAPPED = "00000000000000000000ffff";
const DB8 = "20010db8000000000000000000000001";
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

const local: ProxyHeader = { source: "local" };
function proxied(client: string, clientPort: number, server: string, serverPort: number): ProxyHeader {
  return {
    source: "proxied",
    client: { address: client, port: clientPort },
    server: { address: server, port: serverPort },
    usesTls: false,
  };
}

const headers: [name: string, rest: string, want: ProxyHeader][] = [
  ["TCP over IPv4", "21 11 000c c0000201 c6336407 dc04 01bb", proxied("192.0.2.1", 56324, "198.51.100.7", 443)],
  ["ports 0 and 65535", "21 11 000c 00000000 ffffffff 0000 ffff", proxied("0.0.0.0", 0, "255.255.255.255", 65535)],
  ["TCP over IPv6", `21 21 0024 ${DB8} ${"0".repeat(31)}1 04d2 0050`, proxied("2001:db8::1", 1234, "::1", 80)],
  [
    "an IPv4-mapped client is IPv4",
    `21 21 0024 ${MAPPED}c0000201 ${DB8} 04d2 0050`,
    proxied("192.0.2.1", 1234, "2001:db8::1", 80),
  ],
  ["LOCAL", "20 00 0000", local],
  ["LOCAL with addresses", "20 11 000c c0000201 c6336407 dc04 01bb", local],
  ["LOCAL of an unknown family, with anything", "20 ff 0003 ffffff", local],
  ["LOCAL too short for its family", "20 21 0001 ff", local],
  ["no family, no protocol", "21 00 0000", local],
  ["no family, with anything", "21 00 0005 0102030405", local],
  ["no family, but a stream", "21 01 0000", local],
  ["IPv4, but no protocol", "21 10 000c c0000201 c6336407 dc04 01bb", local],
  ["a Unix socket", `21 31 00d8 ${"2f78".padEnd(432, "0")}`, local],
  ["a Unix socket, with anything behind", `21 31 00da ${"2f78".padEnd(432, "0")} ffff`, local],
];
for (const [name, rest, want] of headers) {
  test(`version 2: ${name}`, () => assertHeader(hex(SIGNATURE + rest), want));
}

// The last byte of each is the first wrong one.
const faults: [name: string, input: string, why: string][] = [
  ["a TLS record", "16", "not a PROXY header"],
  ["a GET", "47", "not a PROXY header"],
  ["NUL", "00", "not a PROXY header"],
  ["line ends before a request", "0d0a47", "not a PROXY header"],
  ["a wrong fifth octet", "0d0a0d0a0d", "not a PROXY header"],
  ["a wrong last octet of the signature", `${SIGNATURE.slice(0, -2)}0d`, "not a PROXY header"],
  ["version 1", `${SIGNATURE}11`, "unknown PROXY version"],
  ["version 3", `${SIGNATURE}31`, "unknown PROXY version"],
  ["an unassigned command", `${SIGNATURE}22`, "unknown v2 command"],
  ["the last command", `${SIGNATURE}2f`, "unknown v2 command"],
  ["an unknown family", `${SIGNATURE}2141`, "unknown v2 family or protocol"],
  ["an unknown protocol", `${SIGNATURE}2113`, "unknown v2 family or protocol"],
  ["UDP over IPv4", `${SIGNATURE}2112`, "v2 datagram protocol"],
  ["UDP over IPv6", `${SIGNATURE}2122`, "v2 datagram protocol"],
  ["Unix datagrams", `${SIGNATURE}2132`, "v2 datagram protocol"],
  ["datagrams of no family", `${SIGNATURE}2102`, "v2 datagram protocol"],
  ["4097 bytes", `${SIGNATURE}2111 1001`, "v2 header too long"],
  ["4352 bytes", `${SIGNATURE}2111 11`, "v2 header too long"],
  ["65535 bytes", `${SIGNATURE}2000 ff`, "v2 header too long"],
  ["IPv4 in 11 bytes", `${SIGNATURE}2111 000b`, "v2 header too short for its addresses"],
  ["IPv4 in none", `${SIGNATURE}2111 0000`, "v2 header too short for its addresses"],
  ["IPv6 in 35 bytes", `${SIGNATURE}2121 0023`, "v2 header too short for its addresses"],
  ["a Unix socket in 215 bytes", `${SIGNATURE}2131 00d7`, "v2 header too short for its addresses"],
  ["one byte left for TLVs", `${SIGNATURE}2111 000d`, "malformed TLV length"],
  ["two bytes left for TLVs", `${SIGNATURE}2121 0026`, "malformed TLV length"],
];
for (const [name, input, why] of faults) {
  test(`version 2 rejects ${name}`, () => assertRejectedAtEnd(hex(input), why));
}

test("version 2: 4096 bytes behind the fixed part are waited for", () => {
  const input = Buffer.concat([hex(`${SIGNATURE}2000 1000`), Buffer.alloc(4096, 0xff)]);
  assert.deepEqual(decodeProxyHeader(input.subarray(0, -1)), { kind: "need-more" });
  assert.deepEqual(decodeProxyHeader(input), { kind: "header", header: local, consumed: 4112 });
});
