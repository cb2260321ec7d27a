import { test } from "node:test";
import type { ProxyHeader } from "../../src/proxy/header.ts";
import { assertHeader, assertRejectedAtEnd } from "./feed.ts";

const local: ProxyHeader = { source: "local" };
function proxied(client: string, clientPort: number, server: string, serverPort: number): ProxyHeader {
  return {
    source: "proxied",
    client: { address: client, port: clientPort },
    server: { address: server, port: serverPort },
    usesTls: false,
  };
}

const FULL = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

const headers: [name: string, line: string, want: ProxyHeader][] = [
  [
    "IPv4, the specification's example",
    "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
    proxied("192.168.0.1", 56324, "192.168.0.11", 443),
  ],
  [
    "the lowest and the highest port",
    "PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n",
    proxied("1.2.3.4", 0, "5.6.7.8", 65535),
  ],
  [
    "the longest with IPv4",
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
    proxied("255.255.255.255", 65535, "255.255.255.255", 65535),
  ],
  ["IPv6", "PROXY TCP6 2001:db8::1 ::1 1234 80\r\n", proxied("2001:db8::1", 1234, "::1", 80)],
  [
    "IPv6 in long form and upper case",
    "PROXY TCP6 2001:0DB8:0:0:0:0:0:00AB 0:0:0:0:0:0:0:1 1234 80\r\n",
    proxied("2001:db8::ab", 1234, "::1", 80),
  ],
  ["the longest with IPv6", `PROXY TCP6 ${FULL} ${FULL} 65535 65535\r\n`, proxied(FULL, 65535, FULL, 65535)],
  [
    "an IPv4-mapped client is IPv4",
    "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1234 80\r\n",
    proxied("192.0.2.1", 1234, "2001:db8::1", 80),
  ],
  ["IPv4-mapped in hex", "PROXY TCP6 ::FFFF:c000:201 ::1 1 2\r\n", proxied("192.0.2.1", 1, "::1", 2)],
  ["UNKNOWN, short", "PROXY UNKNOWN\r\n", local],
  ["UNKNOWN with addresses", `PROXY UNKNOWN ${FULL} ${FULL} 65535 65535\r\n`, local],
  ["UNKNOWN with anything", "PROXY UNKNOWN  \0\xff\t PROXY TCP4\r\n", local],
  ["UNKNOWN with a space alone", "PROXY UNKNOWN \r\n", local],
  ["UNKNOWN of 107 bytes", `PROXY UNKNOWN ${"x".repeat(91)}\r\n`, local],
];
for (const [name, line, want] of headers) {
  test(`version 1: ${name}`, () => assertHeader(Buffer.from(line, "latin1"), want));
}

const CLIENT = "malformed v1 client address";
const SERVER = "malformed v1 server address";
const CLIENT_PORT = "malformed v1 client port";
const SERVER_PORT = "malformed v1 server port";
const LINE = "malformed v1 line";
const TOO_LONG = "v1 line too long";
const WORDY = "0000:0000:0000:0000:0000:ffff:255.255.255.255";

// The last byte of each is the first wrong one.
const faults: [name: string, line: string, why: string][] = [
  ["lower case", "p", "not a PROXY header"],
  ["another method", "PO", "not a PROXY header"],
  ["a letter in lower case", "PROXy", "not a PROXY header"],
  ["a tab", "PROXY\t", "not a PROXY header"],
  ["a line end behind PROXY", "PROXY\r", "not a PROXY header"],
  ["no protocol", "PROXY  ", "unknown v1 protocol"],
  ["UDP4", "PROXY UD", "unknown v1 protocol"],
  ["TCP5", "PROXY TCP5", "unknown v1 protocol"],
  ["TCP", "PROXY TCP ", "unknown v1 protocol"],
  ["TCP4 and a tab", "PROXY TCP4\t", "unknown v1 protocol"],
  ["TCP4 and the line end", "PROXY TCP4\r", "unknown v1 protocol"],
  ["a protocol in lower case", "PROXY t", "unknown v1 protocol"],
  ["UNKNOWN in lower case", "PROXY u", "unknown v1 protocol"],

  ["two spaces before the client", "PROXY TCP4  ", CLIENT],
  ["a number too high", "PROXY TCP4 256", CLIENT],
  ["a leading zero", "PROXY TCP4 01", CLIENT],
  ["an empty number", "PROXY TCP4 1..", CLIENT],
  ["three numbers", "PROXY TCP4 1.2.3 ", CLIENT],
  ["four numbers and a dot", "PROXY TCP4 1.2.3.4.", CLIENT],
  ["IPv6 in TCP4", "PROXY TCP4 :", CLIENT],
  ["a host name", "PROXY TCP4 l", CLIENT],
  ["a tab behind the client", "PROXY TCP4 1.2.3.4\t", CLIENT],
  ["the line ends behind the client", "PROXY TCP4 1.2.3.4\r", CLIENT],
  ["a byte over 0x7F", "PROXY TCP4 1\xb2", CLIENT],
  ["NUL", "PROXY TCP4 1\0", CLIENT],
  ["IPv4 in TCP6", "PROXY TCP6 192.", CLIENT],
  ["five digits", "PROXY TCP6 12345", CLIENT],
  ["not hex", "PROXY TCP6 g", CLIENT],
  ["three colons", "PROXY TCP6 :::", CLIENT],
  ["one colon in front", "PROXY TCP6 :1", CLIENT],
  ["two ::", "PROXY TCP6 1::2::", CLIENT],
  ["seven groups", "PROXY TCP6 1:2:3:4:5:6:7 ", CLIENT],
  ["nine groups", "PROXY TCP6 1:2:3:4:5:6:7:8:", CLIENT],
  ["eight groups beside ::", "PROXY TCP6 1:2:3:4::5:6:7:", CLIENT],
  ["IPv4 too early", "PROXY TCP6 1:2:3:4:5:6.", CLIENT],
  ["IPv4 too late", "PROXY TCP6 1:2:3:4:5:6:7:8.", CLIENT],
  ["a zone", "PROXY TCP6 fe80::1%", CLIENT],
  ["brackets", "PROXY TCP6 [", CLIENT],

  ["two spaces before the server", "PROXY TCP4 1.2.3.4  ", SERVER],
  ["a server of the other family", "PROXY TCP4 1.2.3.4 :", SERVER],
  ["a server of the other family, the other way", "PROXY TCP6 ::1 1.", SERVER],
  ["a number of the server too high", "PROXY TCP4 1.2.3.4 5.6.7.300", SERVER],
  ["the line ends behind the server", "PROXY TCP4 1.2.3.4 5.6.7.8\r", SERVER],

  ["two spaces before the ports", "PROXY TCP4 1.2.3.4 5.6.7.8  ", CLIENT_PORT],
  ["a port with a leading zero", "PROXY TCP4 1.2.3.4 5.6.7.8 00", CLIENT_PORT],
  ["a port too high", "PROXY TCP4 1.2.3.4 5.6.7.8 65536", CLIENT_PORT],
  ["a port of six digits", "PROXY TCP4 1.2.3.4 5.6.7.8 123456", CLIENT_PORT],
  ["a negative port", "PROXY TCP4 1.2.3.4 5.6.7.8 -", CLIENT_PORT],
  ["a port with a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +", CLIENT_PORT],
  ["a hexadecimal port", "PROXY TCP4 1.2.3.4 5.6.7.8 0x", CLIENT_PORT],
  ["one port alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r", CLIENT_PORT],
  ["two spaces between the ports", "PROXY TCP4 1.2.3.4 5.6.7.8 1  ", SERVER_PORT],
  ["no second port", "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r", SERVER_PORT],
  ["a second port too high", "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536", SERVER_PORT],
  ["a second port with a leading zero", "PROXY TCP4 1.2.3.4 5.6.7.8 1 08", SERVER_PORT],
  ["a space behind", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 ", SERVER_PORT],
  ["LF alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", SERVER_PORT],
  ["CR alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rG", LINE],
  ["CR CR LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r", LINE],

  ["UNKNOWN and a letter", "PROXY UNKNOWNS", LINE],
  ["UNKNOWN and LF alone", "PROXY UNKNOWN\n", LINE],
  ["UNKNOWN and CR alone", "PROXY UNKNOWN\rG", LINE],
  ["UNKNOWN, text and LF alone", "PROXY UNKNOWN text\n", LINE],
  ["UNKNOWN, text and CR alone", "PROXY UNKNOWN text\rt", LINE],
  ["UNKNOWN of 108 bytes", `PROXY UNKNOWN ${"x".repeat(92)}\r`, TOO_LONG],
  ["UNKNOWN without end", `PROXY UNKNOWN ${"x".repeat(93)}`, TOO_LONG],
  ["addresses longer than any need be", `PROXY TCP6 ${WORDY} ${WORDY} 6553`, TOO_LONG],
];
for (const [name, line, why] of faults) {
  test(`version 1 rejects ${name}`, () => assertRejectedAtEnd(Buffer.from(line, "latin1"), why));
}
