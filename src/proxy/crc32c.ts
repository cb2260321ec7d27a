/**
 * CRC-32C, the checksum that may guard a PROXY protocol header (RFC 9260 appendix A, formerly RFC 4960 appendix B).
 */
/** The Castagnoli polynomial 0x1EDC6F41 with its bits reversed. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

/** For each octet, what eight steps of the division make of it. */
const STEPS = Uint32Array.from({ length: 256 }, (_, octet) => {
  let rest = octet;
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ REVERSED_POLYNOMIAL : rest >>> 1;
  return rest;
});

/** @returns the checksum as an unsigned number of 32 bits */
export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const octet of bytes) rest = (STEPS[(rest ^ octet) & 0xff] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}
