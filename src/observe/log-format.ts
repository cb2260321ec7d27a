/**
 * Formats a request as one line of the access log.
 *
 *     common    %h %l %u %t "%r" %>s %b                                 Apache's, byte for byte
 *     combined  the same, then "%{Referer}i" "%{User-Agent}i"           Apache's, byte for byte
 *     vhost     %v:%p, a blank, then the line of combined: vhost_combined of Debian's Apache
 *     json      one object a line; null for what is not known
 *
 * `%v` is the requested host, `%p` the port of that host, else the port of the scheme. `%t` is when the head was complete, in
 * local time. `%l` is always `-`; `%u` is the user, else the subject of the
 * client's certificate (`certificate` in json), blanks as `\x20`. `%b` is `-` without a byte of body sent: HEAD, 304.
 * Every line is printable ASCII, without a line feed at its end.
 */
import type { UnixMilliseconds } from "../base/units.ts";
import type { ExchangeRecord } from "../http/exchange.ts";
import type { RequestHead } from "../http/request-head.ts";
import { escapeText, formatJsonString } from "./escape.ts";
import { localOffset } from "./local-zone.ts";
import { cachePerSecond, formatCommonTime } from "./log-time.ts";

export const LOG_FORMATS = ["common", "combined", "vhost", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Always gives the same line for the same record; its only memory is the text of the last second. */
export type FormatLine = (record: ExchangeRecord) => string;

/** @param offset  of the local time zone, in minutes east */
export function chooseLineFormat(
  format: LogFormat,
  offset: (moment: UnixMilliseconds) => number = localOffset,
): FormatLine {
  if (format === "json") return formatJson;
  const time = cachePerSecond((moment) => formatCommonTime(moment, offset(moment)));
  const formatCommon: FormatLine = (record) => {
    const { peer, requestLine, status, bodyBytes } = record;
    const request = requestLine === "" ? "-" : escapeText(requestLine);
    return `${peer.address} - ${userOf(record)} [${time(record.receivedAt)}] "${request}" ${status} ${bodyBytes === 0 ? "-" : bodyBytes}`;
  };
  const formatCombined: FormatLine = (record) =>
    `${formatCommon(record)} "${quotedField(record.head, "referer")}" "${quotedField(record.head, "user-agent")}"`;
  const formatVhost: FormatLine = (record) => `${hostAndPort(record)} ${formatCombined(record)}`;
  return { common: formatCommon, combined: formatCombined, vhost: formatVhost }[format];
}

/** A Host without a port means the port of the scheme (RFC 9110 §4.2), also where we listen on another one. */
function hostAndPort({ head, peer }: ExchangeRecord): string {
  const port = head?.host?.port ?? (peer.tls === undefined ? HTTP_PORT : HTTPS_PORT);
  return `${escapeText(head?.host?.name ?? "-")}:${port}`;
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** A field without blanks, so that the number of blanks stays the same. */
function userOf({ user, peer }: ExchangeRecord): string {
  const name = user ?? peer.tls?.subject;
  return name === undefined ? "-" : escapeText(name).replaceAll(" ", "\\x20");
}

function quotedField(head: RequestHead | undefined, name: string): string {
  return escapeText(head?.fields.get(name) ?? "-");
}

function formatJson(record: ExchangeRecord): string {
  const { head } = record;
  return (
    `{"time":"${new Date(record.receivedAt).toISOString()}"` +
    `,"client":${orNull(record.peer.address)}` +
    (record.peer.tls?.subject === undefined ? "" : `,"certificate":${orNull(record.peer.tls.subject)}`) +
    (record.user === undefined ? "" : `,"user":${orNull(record.user)}`) +
    requestMembers(record) +
    `,"host":${orNull(head?.host?.name)}` +
    `,"status":${record.status}` +
    `,"bytes":${record.bodyBytes}` +
    `,"duration_ms":${Math.round(record.duration * 1000) / 1000}` +
    `,"referer":${orNull(head?.fields.get("referer"))}` +
    `,"user_agent":${orNull(head?.fields.get("user-agent"))}` +
    `,"reason":${orNull(record.reason)}` +
    `,"complete":${record.outcome === "sent"}}`
  );
}

/** `malformed` is present only when a request line was received that could not be parsed. */
function requestMembers({ head, requestLine }: ExchangeRecord): string {
  // A head exists only for a line of exactly three parts (RFC 9112 §3).
  const [method, target, protocol] = head === undefined ? [] : requestLine.split(" ");
  const malformed = head === undefined && requestLine !== "" ? `,"malformed":${formatJsonString(requestLine)}` : "";
  return `,"method":${orNull(method)},"target":${orNull(target)},"protocol":${orNull(protocol)}${malformed}`;
}

function orNull(text: string | undefined): string {
  return text === undefined ? "null" : formatJsonString(text);
}
