import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SocketAddress } from "../../src/base/endpoint.ts";
import { formatIpAddress } from "../../src/base/ip-address.ts";
import { decodeProxyHeader } from "../../src/proxy/decode.ts";
import { encodeV1, encodeV2, encodeWriteIp, type ProxyTlvs } from "../../src/proxy/encode.ts";
import { readTlvs } from "../support/proxy-tlvs.ts";

const socket = (address: string, port: number): SocketAddress => ({ address, port });
const unix = socket("unix", 0);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const lines: [name: string, client: SocketAddress, server: SocketAddress, want: string][] = [
  ["IPv4", socket("192.0.2.1", 56324), socket("198.51.100.7", 443), "TCP4 192.0.2.1 198.51.100.7 56324 443"],
  ["IPv6", socket("2001:DB8:0:0::1", 0), socket("::1", 65535), "TCP6 2001:db8::1 ::1 0 65535"],
  ["IPv4-mapped", socket("::ffff:192.0.2.1", 1), socket("::FFFF:127.0.0.1", 2), "TCP4 192.0.2.1 127.0.0.1 1 2"],
  ["a client of IPv4, a server of IPv6", socket("192.0.2.1", 1), socket("::1", 2), "TCP6 ::ffff:192.0.2.1 ::1 1 2"],
  ["a client of IPv6, a server of IPv4", socket("::1", 1), socket("192.0.2.1", 2), "TCP6 ::1 ::ffff:192.0.2.1 1 2"],
  ["a zone is dropped", socket("fe80::1%eth0", 1), socket("fe80::2%eth0", 2), "TCP6 fe80::1 fe80::2 1 2"],
  ["a client on a Unix socket", unix, unix, "UNKNOWN"],
  ["a server on a Unix socket", socket("192.0.2.1", 1), unix, "UNKNOWN"],
];
for (const [name, client, server, want] of lines) {
  test(`encodeV1: ${name}`, () =>
    assert.equal(Buffer.from(encodeV1(client, server)).toString("latin1"), `PROXY ${want}\r\n`));
}

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const IPV4 = "c0000201 c6336407 dc04 01bb";
const client = socket("192.0.2.1", 56324);
const server = socket("198.51.100.7", 443);

const headers: [name: string, client: SocketAddress, server: SocketAddress, tlvs: ProxyTlvs, want: string][] = [
  ["IPv4", client, server, {}, `21 11 000c ${IPV4}`],
  ["IPv6", socket("::1", 1), socket("::2", 2), {}, `21 21 0024 ${"0".repeat(31)}1 ${"0".repeat(31)}2 0001 0002`],
  [
    "a server of the other family",
    socket("192.0.2.1", 1),
    socket("::2", 2),
    {},
    `21 21 0024 00000000000000000000ffffc0000201 ${"0".repeat(31)}2 0001 0002`,
  ],
  ["a client on a Unix socket", unix, server, { alpn: "h2" }, "20 00 0000"],
  [
    "ALPN and authority",
    client,
    server,
    { authority: "a.b", alpn: "h2" },
    `21 11 0017 ${IPV4} 010002 6832 020003 612e62`,
  ],
  ["a unique id", client, server, { uniqueId: Uint8Array.of(0, 255) }, `21 11 0011 ${IPV4} 050002 00ff`],
  [
    "TLS without a certificate",
    client,
    server,
    { tls: { certificate: "none", verify: 1, version: "TLSv1.2", cipher: "X" } },
    `21 11 0022 ${IPV4} 200013 01 00000001 210007 544c5376312e32 230001 58`,
  ],
  [
    "TLS with a certificate",
    client,
    server,
    { tls: { certificate: "in-connection", verify: 0, commonName: "Zoë" } },
    `21 11 001b ${IPV4} 20000c 07 00000000 220004 5a6fc3ab`,
  ],
  [
    "TLS with a certificate of the session",
    client,
    server,
    { tls: { certificate: "in-session", verify: 0xffffffff } },
    `21 11 0014 ${IPV4} 200005 05 ffffffff`,
  ],
  ["text over 255 octets is left out", client, server, { authority: "a".repeat(256) }, `21 11 000c ${IPV4}`],
  [
    "text of 255 octets",
    client,
    server,
    { authority: "a".repeat(255) },
    `21 11 010e ${IPV4} 0200ff ${"61".repeat(255)}`,
  ],
];
for (const [name, from, to, tlvs, want] of headers) {
  test(`encodeV2: ${name}`, () => assert.equal(hexOf(encodeV2(from, to, tlvs)), SIGNATURE + want.replaceAll(" ", "")));
}

test("encodeV2 writes what hitch 1.7 writes", () => {
  const tls = { certificate: "none", verify: 1, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" } as const;
  const bytes = encodeV2(socket("127.0.0.1", 47862), socket("127.9.9.1", 7543), {
    alpn: "h2",
    authority: "localhost",
    tls,
  });
  const want =
    "0d0a0d0a000d0a515549540a211100487f0000017f090901baf61d7701000268320200096c6f63616c686f7374" +
    "2000280100000001210007544c5376312e33230016544c535f4145535f3235365f47434d5f534841333834";
  assert.equal(hexOf(bytes), want);
});

const written: [name: string, address: string, want: string][] = [
  ["IPv4", "192.0.2.1", "02c0000201"],
  ["IPv6", "2001:db8::1", "0a20010db8000000000000000000000001"],
  ["IPv4-mapped", "::ffff:192.0.2.1", "02c0000201"],
  ["a zone is dropped", "fe80::1%eth0", "0afe800000000000000000000000000001"],
];
for (const [name, address, want] of written) {
  test(`encodeWriteIp: ${name}`, () => assert.equal(hexOf(encodeWriteIp(address)), want));
}

test("encodeWriteIp takes the number another platform has for IPv6, and for IPv6 alone", () => {
  assert.equal(encodeWriteIp("::1", 30)[0], 30);
  assert.equal(encodeWriteIp("127.0.0.1", 30)[0], 2);
});

test("what is no address throws", () => {
  for (const address of ["", "localhost", "[::1]", "192.0.2", "/run/x"]) {
    assert.throws(() => encodeV1(socket(address, 1), server), /not an IP address/);
    assert.throws(() => encodeV2(client, socket(address, 1)), /not an IP address/);
    assert.throws(() => encodeWriteIp(address), /not an IP address/);
  }
  assert.throws(() => encodeV2(client, server, { uniqueId: new Uint8Array(129) }), /129 bytes/);
});

const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const mapped = ipv4.map((octets) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...octets));
// Records as a literal makes them: strict comparison looks at prototypes.
const plain = { noNullPrototype: true };
const anySocket = fc.record({ address: fc.oneof(ipv4, ipv6, mapped).map(formatIpAddress), port: fc.nat(65535) }, plain);
const payload = fc.uint8Array();

test("version 1: what was encoded is decoded, and what follows is left alone", () => {
  fc.assert(
    fc.property(anySocket, anySocket, payload, (from, to, rest) => {
      const line = encodeV1(from, to);
      assert.deepEqual(decodeProxyHeader(Buffer.concat([line, rest])), {
        kind: "header",
        header: { source: "proxied", client: from, server: to, usesTls: false },
        consumed: line.length,
      });
    }),
  );
});

// At most four octets a character.
const text = fc.string({ unit: "binary", maxLength: 60 });
const tls = fc.record(
  {
    certificate: fc.constantFrom("in-connection" as const, "in-session" as const, "none" as const),
    verify: fc.nat(0xffffffff),
    version: text,
    cipher: text,
    commonName: text,
  },
  { requiredKeys: ["certificate", "verify"], ...plain },
);
const anyTlvs = fc.record(
  { alpn: text, authority: text, uniqueId: fc.uint8Array({ maxLength: 128 }), tls },
  { requiredKeys: [], ...plain },
);

test("version 2: what was encoded is decoded, and what follows is left alone", () => {
  fc.assert(
    fc.property(anySocket, anySocket, anyTlvs, payload, (from, to, tlvs, rest) => {
      const bytes = encodeV2(from, to, tlvs);
      assert.deepEqual(decodeProxyHeader(Buffer.concat([bytes, rest])), {
        kind: "header",
        header: { source: "proxied", client: from, server: to, usesTls: tlvs.tls !== undefined },
        consumed: bytes.length,
      });
      assert.deepEqual(readTlvs(bytes), tlvs);
    }),
  );
});

test("for a Unix socket both versions say that the connection is the sender's own", () => {
  for (const bytes of [encodeV1(unix, server), encodeV2(unix, server)]) {
    assert.deepEqual(decodeProxyHeader(bytes), { kind: "header", header: { source: "local" }, consumed: bytes.length });
  }
});
