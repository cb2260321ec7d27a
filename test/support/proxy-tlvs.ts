/**
 * What the TLVs of a PROXY header of version 2 say: for tests of those that the terminator sends.
 */
import type { ProxyTls, ProxyTlvs } from "../../src/proxy/encode.ts";

const FIXED_OCTETS = 16;
const SSL_HEAD_OCTETS = 5;

/** @param header  one whole header, well formed, with addresses of IPv4 or IPv6 */
export function readTlvs(header: Uint8Array): ProxyTlvs {
  const addresses = header[13] === 0x11 ? 12 : 36;
  const found = split(header.subarray(FIXED_OCTETS + addresses));
  const [alpn, authority, uniqueId, ssl] = [found.get(0x01), found.get(0x02), found.get(0x05), found.get(0x20)];
  return {
    ...(alpn === undefined ? {} : { alpn: textOf(alpn) }),
    ...(authority === undefined ? {} : { authority: textOf(authority) }),
    ...(uniqueId === undefined ? {} : { uniqueId: Uint8Array.from(uniqueId) }),
    ...(ssl === undefined ? {} : { tls: readTls(ssl) }),
  };
}

function readTls(value: Uint8Array): ProxyTls {
  const inner = split(value.subarray(SSL_HEAD_OCTETS));
  const [version, commonName, cipher] = [inner.get(0x21), inner.get(0x22), inner.get(0x23)];
  const [flags = 0] = value;
  return {
    certificate: (flags & 2) !== 0 ? "in-connection" : (flags & 4) !== 0 ? "in-session" : "none",
    verify: Buffer.from(value).readUInt32BE(1),
    ...(version === undefined ? {} : { version: textOf(version) }),
    ...(cipher === undefined ? {} : { cipher: textOf(cipher) }),
    ...(commonName === undefined ? {} : { commonName: textOf(commonName) }),
  };
}

function split(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const values = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const [type = 0, high = 0, low = 0] = bytes.subarray(at, at + 3);
    const end = at + 3 + (high << 8) + low;
    values.set(type, bytes.subarray(at + 3, end));
    at = end;
  }
  return values;
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value).toString("utf8");
}
