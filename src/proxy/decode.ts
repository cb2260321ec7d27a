/**
 * The PROXY protocol header at the start of a connection, version 1 or 2, from a peer that must send one
 * (specification §2).
 *
 * Bytes are judged from the left: the first one that no header could have there rejects, so that a client of
 * another protocol is not waited for, and where the bytes were cut changes neither the decision nor its words. Within TLVs
 * a fault may be seen some bytes later.
 */
import { decodeV1 } from "./decode-v1.ts";
import { decodeV2 } from "./decode-v2.ts";
import type { ProxyDecoding } from "./header.ts";

const FIRST_OCTET_OF_V1 = 0x50;

/**
 * @param bytes  everything received so far; nothing in the header refers to it afterwards
 * @returns `need-more` for fewer than 4,112 bytes only
 */
export function decodeProxyHeader(bytes: Uint8Array): ProxyDecoding {
  return bytes[0] === FIRST_OCTET_OF_V1 ? decodeV1(bytes) : decodeV2(bytes);
}
