/**
 * What a TLS terminator writes to its backend before the client's first byte: a PROXY protocol header of version 1 or 2
 * (specification §2), or the client's address in stud's own form. Both versions have one family for both addresses:
 * where only one is IPv6, the other is sent IPv4-mapped. If either end is a Unix socket, the header says that the
 * connection is the sender's own.
 */
import { Buffer } from "node:buffer";
import type { SocketAddress } from "../base/endpoint.ts";
import { formatIpAddress, IPV4_OCTETS, mapIpv4, parseIpAddress, unmapIpv4, withoutZone } from "../base/ip-address.ts";
import { CLIENT, COMMAND, FAMILY, MAX_UNIQUE_ID_OCTETS, SIGNATURE, SSL_HEAD_OCTETS, SSL_TLV, TLV } from "./header.ts";

/** Of the client's TLS connection to the proxy (PP2_TYPE_SSL, §2.2.6). */
export interface ProxyTls {
  /** When the client showed a certificate: in this connection, only earlier in its TLS session, or never. */
  readonly certificate: "in-connection" | "in-session" | "none";
  /** OpenSSL's verify result (X509_V_ERR_…); 0: a certificate was shown and is valid. */
  readonly verify: number;
  /** OpenSSL's name: `TLSv1.3`. */
  readonly version?: string;
  readonly cipher?: string;
  /** Of the client certificate. */
  readonly commonName?: string;
}

/** For TLVs (§2.2); unknown facts are absent. */
export interface ProxyTlvs {
  readonly alpn?: string;
  /** The host name from the client, with TLS its SNI. */
  readonly authority?: string;
  readonly uniqueId?: Uint8Array;
  /** Absent when the client did not use TLS. */
  readonly tls?: ProxyTls;
}

/** The bytes that a backend gets before the client's first byte, as named in the settings. */
export type PreambleForm = "nothing" | "ip" | "proxy-v1" | "proxy-v2" | "passed-on";

export interface PreambleFacts {
  readonly client: SocketAddress;
  /** Where the client connected to. */
  readonly server: SocketAddress;
  /** Called only for forms that have TLVs. */
  readonly tlvs: () => ProxyTlvs;
  /** The PROXY header at the start of the client's connection, perhaps empty. */
  readonly header: Uint8Array;
}

/** The `address` of a socket that has a path and no IP address. */
const UNIX = "unix";

const AF_INET = 2;
const AF_INET6_ON_LINUX = 10;

/** Longer texts are left out, not cut: half a name may be another's. SNI, ALPN and most common names are shorter. */
const MAX_TEXT_OCTETS = 255;

// A certificate shown in the connection belongs to its session as well.
const CERTIFICATE_FLAGS: Readonly<Record<ProxyTls["certificate"], number>> = {
  "in-connection": CLIENT.CERT_CONN | CLIENT.CERT_SESS,
  "in-session": CLIENT.CERT_SESS,
  none: 0,
};

const NOTHING = new Uint8Array(0);

/** Both ends in one family. */
interface AddressPair {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/** @throws when an address is no IP address */
export function encodePreamble(form: PreambleForm, told: PreambleFacts): Uint8Array {
  switch (form) {
    case "nothing":
      return NOTHING;
    case "ip":
      return encodeWriteIp(told.client.address);
    case "proxy-v1":
      return encodeV1(told.client, told.server);
    case "proxy-v2":
      return encodeV2(told.client, told.server, told.tlvs());
    case "passed-on":
      return told.header;
  }
}

/**
 * One line (§2.1), 15 to 107 bytes; `PROXY UNKNOWN` when an address is `unix`.
 * @throws when an address is neither `unix` nor an IP address; its zone is dropped
 */
export function encodeV1(client: SocketAddress, server: SocketAddress): Uint8Array {
  const pair = pairAddresses(client, server);
  if (pair === undefined) return Buffer.from("PROXY UNKNOWN\r\n", "latin1");
  const protocol = pair.client.length === IPV4_OCTETS ? "TCP4" : "TCP6";
  const addresses = `${formatInFamily(pair.client)} ${formatInFamily(pair.server)}`;
  return Buffer.from(`PROXY ${protocol} ${addresses} ${client.port} ${server.port}\r\n`, "latin1");
}

/**
 * A binary header with the given TLVs (§2.2); LOCAL and without any when an address is `unix`.
 * @throws as `encodeV1`, and when the unique id is longer than 128 bytes
 */
export function encodeV2(client: SocketAddress, server: SocketAddress, tlvs: ProxyTlvs = {}): Uint8Array {
  const pair = pairAddresses(client, server);
  if (pair === undefined) return encodeFixedPart(COMMAND.LOCAL, FAMILY.UNSPEC, 0);

  const rest = Buffer.concat([
    pair.client,
    pair.server,
    uint16(client.port),
    uint16(server.port),
    encodeText(TLV.ALPN, tlvs.alpn),
    encodeText(TLV.AUTHORITY, tlvs.authority),
    encodeUniqueId(tlvs.uniqueId),
    encodeTls(tlvs.tls),
  ]);
  const family = pair.client.length === IPV4_OCTETS ? FAMILY.TCP_OVER_IPV4 : FAMILY.TCP_OVER_IPV6;
  return Buffer.concat([encodeFixedPart(COMMAND.PROXY, family, rest.length), rest]);
}

/**
 * stud's `--write-ip`: one octet with the platform's address family, then the address in network order. An IPv4-mapped
 * address is sent as IPv4.
 * @param address  an IP address, whose zone is dropped
 * @param inet6  the platform's AF_INET6, which differs between systems; AF_INET does not
 * @throws when `address` is anything else
 */
export function encodeWriteIp(address: string, inet6: number = AF_INET6_ON_LINUX): Uint8Array {
  const octets = octetsOf(address);
  return Uint8Array.of(octets.length === IPV4_OCTETS ? AF_INET : inet6, ...octets);
}

function pairAddresses(client: SocketAddress, server: SocketAddress): AddressPair | undefined {
  if (client.address === UNIX || server.address === UNIX) return undefined;
  const pair = { client: octetsOf(client.address), server: octetsOf(server.address) };
  if (pair.client.length === pair.server.length) return pair;
  return { client: mapIpv4(pair.client), server: mapIpv4(pair.server) };
}

function octetsOf(address: string): Uint8Array {
  const octets = parseIpAddress(withoutZone(address));
  if (octets === undefined) throw new Error(`not an IP address: ${JSON.stringify(address)}`);
  return unmapIpv4(octets);
}

function formatInFamily(octets: Uint8Array): string {
  const text = formatIpAddress(octets);
  return octets.length === IPV4_OCTETS || text.includes(":") ? text : `::ffff:${text}`;
}

function encodeFixedPart(command: number, family: number, length: number): Uint8Array {
  return Buffer.concat([SIGNATURE, Uint8Array.of(command, family), uint16(length)]);
}

function encodeTls(tls: ProxyTls | undefined): Uint8Array {
  if (tls === undefined) return NOTHING;
  const head = new DataView(new ArrayBuffer(SSL_HEAD_OCTETS));
  head.setUint8(0, CLIENT.SSL | CERTIFICATE_FLAGS[tls.certificate]);
  head.setUint32(1, tls.verify);
  const inner = [
    encodeText(SSL_TLV.VERSION, tls.version),
    encodeText(SSL_TLV.CIPHER, tls.cipher),
    encodeText(SSL_TLV.CN, tls.commonName),
  ];
  return encodeTlv(TLV.SSL, Buffer.concat([new Uint8Array(head.buffer), ...inner]));
}

function encodeUniqueId(id: Uint8Array | undefined): Uint8Array {
  if (id === undefined) return NOTHING;
  if (id.length > MAX_UNIQUE_ID_OCTETS) throw new Error(`a unique id of ${id.length} bytes`);
  return encodeTlv(TLV.UNIQUE_ID, id);
}

function encodeText(type: number, text: string | undefined): Uint8Array {
  if (text === undefined) return NOTHING;
  const value = Buffer.from(text, "utf8");
  return value.length > MAX_TEXT_OCTETS ? NOTHING : encodeTlv(type, value);
}

function encodeTlv(type: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(type), uint16(value.length), value]);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
