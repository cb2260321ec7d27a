/**
 * The TLVs of a version 2 header (specification §2.2.1 to §2.2.7), read as they arrive.
 *
 * Types that are not read here (NETNS, private ones, those of the future) are skipped over. What is read may come once:
 * of two values nobody could say which one counts.
 */
import { Buffer, isUtf8 } from "node:buffer";
import { NEED_MORE, type NeedMore, type ProxyTls, type ProxyTlvs, type Rejected, reject } from "./header.ts";
import {
  ALPN,
  AUTHORITY,
  CLIENT_CERT_CONN,
  CLIENT_CERT_SESS,
  CLIENT_SSL,
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
} from "./tlv-types.ts";

export type TlvDecoding =
  | NeedMore
  | {
      readonly kind: "tlvs";
      /** Undefined when none of them is read here. */
      readonly tlvs: ProxyTlvs | undefined;
      /** Where the value of a CRC32C begins. */
      readonly checksumAt: number | undefined;
    }
  | Rejected;

/** What is known of a type before its value is looked at. */
interface TlvForm {
  readonly least: number;
  readonly most: number;
  /** TLVs that its value ends in, behind `least` octets. */
  readonly inner?: TlvForms;
}
type TlvForms = ReadonlyMap<number, TlvForm>;

/** Where a value stands among the bytes, and what was found in it. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly inner: Spans;
}
type Spans = ReadonlyMap<number, Span>;

const NO_SPANS: Spans = new Map();

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
 * @param bytes  what has been received, perhaps less than up to `end`, perhaps more
 * @param start  where the first TLV begins
 * @param end  of the header; `end - start` leaves room for TLVs
 */
export function decodeTlvs(bytes: Uint8Array, start: number, end: number): TlvDecoding {
  const spans = locateTlvs(bytes, start, end, FORMS);
  if (!isLocated(spans)) return spans;

  const alpn = textOf(bytes, spans.get(ALPN));
  const authority = textOf(bytes, spans.get(AUTHORITY));
  const uniqueId = spans.get(UNIQUE_ID);
  const tls = tlsOf(bytes, spans.get(SSL));
  const tlvs: ProxyTlvs = {
    ...(alpn === undefined ? {} : { alpn }),
    ...(authority === undefined ? {} : { authority }),
    ...(uniqueId === undefined ? {} : { uniqueId: Uint8Array.from(bytes.subarray(uniqueId.start, uniqueId.end)) }),
    ...(tls === undefined ? {} : { tls }),
  };
  const isEmpty = Object.keys(tlvs).length === 0;
  return { kind: "tlvs", tlvs: isEmpty ? undefined : tlvs, checksumAt: spans.get(CRC32C)?.start };
}

/** Whether so many octets may be left for TLVs: none at all, or at least one of them without a value. */
export function leavesRoomForTlvs(octets: number): boolean {
  return octets === 0 || octets >= TLV_HEAD_OCTETS;
}

/** Finds the values of the types in `forms`; all that is behind `end` belongs to somebody else. */
function locateTlvs(bytes: Uint8Array, start: number, end: number, forms: TlvForms): Spans | NeedMore | Rejected {
  const spans = new Map<number, Span>();
  let at = start;
  while (at < end) {
    const [type, lengthHigh, lengthLow] = bytes.subarray(at, at + TLV_HEAD_OCTETS);
    if (type === undefined) return NEED_MORE;
    if (spans.has(type)) return reject("TLV repeated");

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

    if (form.inner !== undefined && !leavesRoomForTlvs(length - form.least)) return reject("malformed TLV length");

    const inner = form.inner === undefined ? NO_SPANS : locateTlvs(bytes, valueAt + form.least, at, form.inner);
    if (!isLocated(inner)) return inner;
    if (forms.has(type)) spans.set(type, { start: valueAt, end: at, inner });
  }
  return bytes.length < end ? NEED_MORE : spans;
}

function isLocated(outcome: Spans | NeedMore | Rejected): outcome is Spans {
  return !("kind" in outcome);
}

function tlsOf(bytes: Uint8Array, span: Span | undefined): ProxyTls | undefined {
  if (span === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + span.start, SSL_HEAD_OCTETS);
  const client = view.getUint8(0);
  if ((client & CLIENT_SSL) === 0) return undefined;

  const version = textOf(bytes, span.inner.get(SSL_VERSION));
  const cipher = textOf(bytes, span.inner.get(SSL_CIPHER));
  const commonName = textOf(bytes, span.inner.get(SSL_CN));
  return {
    certificate: certificateOf(client),
    verify: view.getUint32(1),
    ...(version === undefined ? {} : { version }),
    ...(cipher === undefined ? {} : { cipher }),
    ...(commonName === undefined ? {} : { commonName }),
  };
}

function certificateOf(client: number): ProxyTls["certificate"] {
  if ((client & CLIENT_CERT_CONN) !== 0) return "in-connection";
  return (client & CLIENT_CERT_SESS) !== 0 ? "in-session" : "none";
}

/** Text that is not UTF-8 is none: the common name of an old certificate must not cost its owner the connection. */
function textOf(bytes: Uint8Array, span: Span | undefined): string | undefined {
  if (span === undefined) return undefined;
  const value = bytes.subarray(span.start, span.end);
  return isUtf8(value) ? Buffer.from(value).toString("utf8") : undefined;
}
