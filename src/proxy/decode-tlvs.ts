/**
 * The TLVs of a version 2 header (specification §2.2.1 to §2.2.7), checked as they arrive.
 *
 * What they say of the client is not used, but a header is taken only whole and well formed: lengths must fit, and what
 * this server knows may come once. The checksum is verified where there is one.
 */
import { NEED_MORE, type NeedMore, type Rejected, reject } from "./header.ts";
import {
  ALPN,
  AUTHORITY,
  CRC32C,
  CRC32C_OCTETS,
  MAX_UNIQUE_ID_OCTETS,
  SSL,
  SSL_CIPHER,
  SSL_CN,
  SSL_HEAD_OCTETS,
  SSL_VERSION,
  TLV_HEAD_OCTETS,
  UNIQUE_ID,
} from "./v2-layout.ts";

/** What is known of a type before its value is looked at. */
interface TlvForm {
  readonly least: number;
  readonly most: number;
  /** TLVs that its value ends in, behind `least` octets. */
  readonly inner?: TlvForms;
}
type TlvForms = ReadonlyMap<number, TlvForm>;

/** Where the values of the known types begin. */
interface Located {
  readonly kind: "located";
  readonly starts: ReadonlyMap<number, number>;
}

const MAX_LENGTH = 0xffff;
const ANY: TlvForm = { least: 0, most: MAX_LENGTH };

const SSL_FORMS: TlvForms = new Map([
  [SSL_VERSION, ANY],
  [SSL_CN, ANY],
  [SSL_CIPHER, ANY],
]);
const FORMS: TlvForms = new Map<number, TlvForm>([
  [ALPN, ANY],
  [AUTHORITY, ANY],
  [CRC32C, { least: CRC32C_OCTETS, most: CRC32C_OCTETS }],
  [UNIQUE_ID, { least: 0, most: MAX_UNIQUE_ID_OCTETS }],
  [SSL, { least: SSL_HEAD_OCTETS, most: MAX_LENGTH, inner: SSL_FORMS }],
]);

/**
 * @param header  what has been received of it, perhaps less than up to `end`, perhaps more
 * @param start  where the first TLV begins
 * @param end  of the header; `end - start` leaves room for TLVs
 * @returns undefined when there is nothing wrong with them
 */
export function checkTlvs(header: Uint8Array, start: number, end: number): NeedMore | Rejected | undefined {
  const located = locateTlvs(header, start, end, FORMS);
  if (located.kind !== "located") return located;
  const checksumAt = located.starts.get(CRC32C);
  if (checksumAt === undefined || isIntact(header.subarray(0, end), checksumAt)) return undefined;
  return reject("wrong CRC32C");
}

/** Whether so many octets may be left for TLVs: none at all, or at least one of them without a value. */
export function leavesRoomForTlvs(octets: number): boolean {
  return octets === 0 || octets >= TLV_HEAD_OCTETS;
}

/** Finds the values of the types in `forms`; bytes behind `end` are not part of the header. */
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

/** For each octet, what eight steps of the division make of it. */
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
