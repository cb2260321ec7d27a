/**
 * Version 2: a binary header (specification §2.2). Where the peer's own address counts (LOCAL, an unspecified family or
 * protocol, a Unix socket), everything after the fixed part is skipped unread, its checksum too. Datagrams are
 * rejected: no connection carries them.
 * Of the TLVs about the client, only that of TLS is used. All must be well formed: lengths must fit, and a known type may
 * occur once. A checksum is verified where there is one.
 */
import type { SocketAddress } from "../base/endpoint.ts";
import { formatIpAddress, IPV4_OCTETS, IPV6_OCTETS } from "../base/ip-address.ts";
import {
  CLIENT,
  COMMAND,
  FAMILY,
  MAX_UNIQUE_ID_OCTETS,
  NEED_MORE,
  type NeedMore,
  type ProxyDecoding,
  type Rejected,
  reject,
  SIGNATURE,
  SSL_HEAD_OCTETS,
  SSL_TLV,
  TLV,
} from "./header.ts";

/** Before the address block: the signature, two octets, and a length of two. */
const FIXED_OCTETS = 16;
/** For addresses and TLVs together. The specification wants a header to fit in 536 bytes. */
const MAX_REST_BYTES = 4096;

const VERSION = 2;
const MAX_FAMILY = 3;
const DATAGRAM = 2;

const PORT_OCTETS = 2;
/** Two paths of 108 octets. */
const UNIX_BLOCK_OCTETS = 216;

type AddressBlock =
  | { readonly kind: "ip"; readonly length: number; readonly addressOctets: number }
  /** `length` is the minimum. */
  | { readonly kind: "skipped"; readonly length: number }
  | { readonly kind: "reject"; readonly why: string };

/** What is known of a type without its value. */
interface TlvForm {
  readonly least: number;
  readonly most: number;
  /** TLVs at the end of its value, after `least` octets. */
  readonly inner?: TlvForms;
}
type TlvForms = ReadonlyMap<number, TlvForm>;

/** Where the values of the known types begin. */
interface Located {
  readonly kind: "located";
  readonly starts: ReadonlyMap<number, number>;
}

const TLV_HEAD_OCTETS = 3;
const CRC32C_OCTETS = 4;
const MAX_LENGTH = 0xffff;
const ANY: TlvForm = { least: 0, most: MAX_LENGTH };

const SSL_FORMS: TlvForms = new Map(Object.values(SSL_TLV).map((type) => [type, ANY]));
const FORMS: TlvForms = new Map<number, TlvForm>([
  [TLV.ALPN, ANY],
  [TLV.AUTHORITY, ANY],
  [TLV.CRC32C, { least: CRC32C_OCTETS, most: CRC32C_OCTETS }],
  [TLV.UNIQUE_ID, { least: 0, most: MAX_UNIQUE_ID_OCTETS }],
  [TLV.SSL, { least: SSL_HEAD_OCTETS, most: MAX_LENGTH, inner: SSL_FORMS }],
]);

export function decodeV2(bytes: Uint8Array): ProxyDecoding {
  const received = bytes.subarray(0, SIGNATURE.length);
  if (received.some((octet, at) => octet !== SIGNATURE[at])) return reject("not a PROXY header");

  const [command, family, lengthHigh, lengthLow] = bytes.subarray(SIGNATURE.length, FIXED_OCTETS);
  if (command === undefined) return NEED_MORE;
  if (command >> 4 !== VERSION) return reject("unknown PROXY version");
  if (command !== COMMAND.LOCAL && command !== COMMAND.PROXY) return reject("unknown v2 command");

  if (family === undefined) return NEED_MORE;
  const block = command === COMMAND.LOCAL ? skipped(0) : addressBlockOf(family);
  if (block.kind === "reject") return block;

  if (lengthHigh === undefined) return NEED_MORE;
  if (lengthHigh << 8 > MAX_REST_BYTES) return reject("v2 header too long");
  if (lengthLow === undefined) return NEED_MORE;
  const length = (lengthHigh << 8) | lengthLow;
  if (length > MAX_REST_BYTES) return reject("v2 header too long");
  if (length < block.length) return reject("v2 header too short for its addresses");

  if (block.kind === "ip") return decodeProxied(bytes, block.addressOctets, FIXED_OCTETS + length);
  if (bytes.length < FIXED_OCTETS + length) return NEED_MORE;
  return { kind: "header", header: { source: "local" }, consumed: FIXED_OCTETS + length };
}

function decodeProxied(bytes: Uint8Array, addressOctets: number, end: number): ProxyDecoding {
  const serverAt = FIXED_OCTETS + addressOctets;
  const portsAt = serverAt + addressOctets;
  const tlvsAt = portsAt + 2 * PORT_OCTETS;
  if (!leavesRoomForTlvs(end - tlvsAt)) return reject("malformed TLV length");
  const located = checkTlvs(bytes, tlvsAt, end);
  if (located.kind !== "located") return located;
  const sslAt = located.starts.get(TLV.SSL);

  const ports = new DataView(bytes.buffer, bytes.byteOffset + portsAt);
  const client: SocketAddress = {
    address: formatIpAddress(bytes.subarray(FIXED_OCTETS, serverAt)),
    port: ports.getUint16(0),
  };
  const server: SocketAddress = {
    address: formatIpAddress(bytes.subarray(serverAt, portsAt)),
    port: ports.getUint16(PORT_OCTETS),
  };
  const usesTls = sslAt !== undefined && ((bytes[sslAt] ?? 0) & CLIENT.SSL) !== 0;
  return { kind: "header", header: { source: "proxied", client, server, usesTls }, consumed: end };
}

function addressBlockOf(family: number): AddressBlock {
  if (family === FAMILY.TCP_OVER_IPV4) return ipBlock(IPV4_OCTETS);
  if (family === FAMILY.TCP_OVER_IPV6) return ipBlock(IPV6_OCTETS);
  if (family === FAMILY.UNIX_STREAM) return skipped(UNIX_BLOCK_OCTETS);

  const protocol = family & 0x0f;
  if (family >> 4 > MAX_FAMILY || protocol > DATAGRAM) return reject("unknown v2 family or protocol");
  // One of the two is unspecified.
  return protocol === DATAGRAM ? reject("v2 datagram protocol") : skipped(0);
}

function ipBlock(addressOctets: number): AddressBlock {
  return { kind: "ip", addressOctets, length: 2 * (addressOctets + PORT_OCTETS) };
}

function skipped(length: number): AddressBlock {
  return { kind: "skipped", length };
}

/**
 * @param header  what has arrived, perhaps less than up to `end`, perhaps more
 * @param start  of the first TLV
 * @param end  of the header; `end - start` leaves room for TLVs
 * @returns where they are, when all are valid
 */
function checkTlvs(header: Uint8Array, start: number, end: number): Located | NeedMore | Rejected {
  const located = locateTlvs(header, start, end, FORMS);
  if (located.kind !== "located") return located;
  const checksumAt = located.starts.get(TLV.CRC32C);
  if (checksumAt === undefined || isIntact(header.subarray(0, end), checksumAt)) return located;
  return reject("wrong CRC32C");
}

/** Whether this many octets can be TLVs: none at all, or at least one without a value. */
function leavesRoomForTlvs(octets: number): boolean {
  return octets === 0 || octets >= TLV_HEAD_OCTETS;
}

/** Finds the values of the types in `forms`; bytes after `end` are not part of the header. */
function locateTlvs(bytes: Uint8Array, start: number, end: number, forms: TlvForms): Located | NeedMore | Rejected {
  const starts = new Map<number, number>();
  let at = start;
  while (at < end) {
    const [type, lengthHigh, lengthLow] = bytes.subarray(at, at + TLV_HEAD_OCTETS);
    if (type === undefined) return NEED_MORE;
    if (starts.has(type)) return reject("TLV repeated");

    const form = forms.get(type) ?? ANY;
    const valueAt = at + TLV_HEAD_OCTETS;
    const most = Math.min(form.most, end - valueAt);
    if (lengthHigh === undefined) return NEED_MORE;
    if (lengthHigh << 8 > most) return reject("malformed TLV length");
    if (lengthLow === undefined) return NEED_MORE;
    const length = (lengthHigh << 8) | lengthLow;
    if (length > most || length < form.least) return reject("malformed TLV length");
    at = valueAt + length;
    if (!leavesRoomForTlvs(end - at)) return reject("malformed TLV length");

    if (form.inner !== undefined) {
      if (!leavesRoomForTlvs(length - form.least)) return reject("malformed TLV length");
      const inner = locateTlvs(bytes, valueAt + form.least, at, form.inner);
      if (inner.kind !== "located") return inner;
    }
    if (forms.has(type)) starts.set(type, valueAt);
  }
  return bytes.length < end ? NEED_MORE : { kind: "located", starts };
}

/** The checksum is that of the whole header with zeros in its own place (§2.2.3). */
function isIntact(header: Uint8Array, checksumAt: number): boolean {
  const zeroed = Uint8Array.from(header);
  zeroed.fill(0, checksumAt, checksumAt + CRC32C_OCTETS);
  return new DataView(header.buffer, header.byteOffset).getUint32(checksumAt) === crc32c(zeroed);
}

/** The Castagnoli polynomial 0x1EDC6F41 with its bits reversed. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

/** For each octet, the result of eight steps of the division. */
const STEPS = Uint32Array.from({ length: 256 }, (_, octet) => {
  let rest = octet;
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ REVERSED_POLYNOMIAL : rest >>> 1;
  return rest;
});

/** CRC-32C (RFC 9260 appendix A). @returns an unsigned number of 32 bits */
export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const octet of bytes) rest = (STEPS[(rest ^ octet) & 0xff] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}
