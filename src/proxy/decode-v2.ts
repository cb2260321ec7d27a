/**
 * Version 2: a binary header (specification §2.2).
 *
 * Where the peer's own address counts (LOCAL, an unspecified family or protocol, a Unix socket) all behind the fixed
 * part is skipped unread, its checksum too. Datagrams are refused: no connection carries them.
 */
import type { SocketAddress } from "../base/endpoint.ts";
import { formatIpAddress, IPV4_OCTETS, IPV6_OCTETS } from "../base/ip-address.ts";
import { checkTlvs, leavesRoomForTlvs } from "./decode-tlvs.ts";
import { NEED_MORE, type ProxyDecoding, reject } from "./header.ts";
import {
  FIXED_OCTETS,
  LOCAL_COMMAND,
  PROXY_COMMAND,
  SIGNATURE,
  TCP_OVER_IPV4,
  TCP_OVER_IPV6,
  UNIX_STREAM,
} from "./v2-layout.ts";

/** For addresses and TLVs together. The specification wants a header to fit in 536 bytes. */
const MAX_REST_BYTES = 4096;

const VERSION = 2;
const MAX_FAMILY = 3;
const DATAGRAM = 2;

const PORT_OCTETS = 2;
/** Two paths of 108 octets. */
const UNIX_BLOCK_OCTETS = 216;

/** What stands behind the fixed part. */
type AddressBlock =
  | { readonly kind: "ip"; readonly length: number; readonly addressOctets: number }
  /** `length` is the least there must be. */
  | { readonly kind: "skipped"; readonly length: number }
  | { readonly kind: "reject"; readonly why: string };

export function decodeV2(bytes: Uint8Array): ProxyDecoding {
  const received = bytes.subarray(0, SIGNATURE.length);
  if (received.some((octet, at) => octet !== SIGNATURE[at])) return reject("not a PROXY header");

  const [command, family, lengthHigh, lengthLow] = bytes.subarray(SIGNATURE.length, FIXED_OCTETS);
  if (command === undefined) return NEED_MORE;
  if (command >> 4 !== VERSION) return reject("unknown PROXY version");
  if (command !== LOCAL_COMMAND && command !== PROXY_COMMAND) return reject("unknown v2 command");

  if (family === undefined) return NEED_MORE;
  const block = command === LOCAL_COMMAND ? skipped(0) : addressBlockOf(family);
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
  const undecided = checkTlvs(bytes, tlvsAt, end);
  if (undecided !== undefined) return undecided;

  const ports = new DataView(bytes.buffer, bytes.byteOffset + portsAt);
  const client: SocketAddress = {
    address: formatIpAddress(bytes.subarray(FIXED_OCTETS, serverAt)),
    port: ports.getUint16(0),
  };
  const server: SocketAddress = {
    address: formatIpAddress(bytes.subarray(serverAt, portsAt)),
    port: ports.getUint16(PORT_OCTETS),
  };
  return { kind: "header", header: { source: "proxied", client, server }, consumed: end };
}

function addressBlockOf(family: number): AddressBlock {
  if (family === TCP_OVER_IPV4) return ipBlock(IPV4_OCTETS);
  if (family === TCP_OVER_IPV6) return ipBlock(IPV6_OCTETS);
  if (family === UNIX_STREAM) return skipped(UNIX_BLOCK_OCTETS);

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
