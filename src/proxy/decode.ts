/**
 * The PROXY protocol header at the start of a connection, from a peer that must send one (specification §2). Version 1
 * is decoded here: one line of text (§2.1), `PROXY TCP4 192.0.2.1 198.51.100.7 56324 443` and CR LF. Exactly one space
 * between fields, decimal numbers without leading zeros, IPv6 in any form of RFC 4291 §2.2. What follows `UNKNOWN` is
 * skipped up to the line end.
 * The first impossible byte rejects, so that we do not wait for a client of another protocol. Where the bytes were cut
 * changes neither the decision nor its words. Within TLVs a fault may be detected some bytes later.
 */
import { beginsIpv4, beginsIpv6, formatIpAddress, parseIpv4, parseIpv6 } from "../base/ip-address.ts";
import { decodeV2 } from "./decode-v2.ts";
import { NEED_MORE, type ProxyDecoding, reject } from "./header.ts";

const FIRST_OCTET_OF_V1 = 0x50;
/** With CR LF: the longest line a sender can need. */
const MAX_LINE_BYTES = 107;
const MAX_PORT = 65535;

const START = "PROXY ";
const TCP4 = "TCP4 ";
const TCP6 = "TCP6 ";
const UNKNOWN = "UNKNOWN";

const PORT_DIGITS = /^(?:0|[1-9][0-9]{0,4})$/;
// After UNKNOWN: nothing, or a space and anything, in which neither CR nor LF is alone.
const SKIPPED = /^(?: [^\r\n]*)?\r\n/;
const SKIPPED_BEGUN = /^(?: [^\r\n]*)?\r?$/;

interface FieldForm {
  /** The text in canonical form; undefined when it has another form. */
  read(text: string): string | undefined;
  /** Whether `text` has this form or could get it with more bytes. */
  begins(text: string): boolean;
}

const IPV4: FieldForm = { read: (text) => formatParsed(parseIpv4(text)), begins: beginsIpv4 };
const IPV6: FieldForm = { read: (text) => formatParsed(parseIpv6(text)), begins: beginsIpv6 };
const PORT: FieldForm = {
  read: (text) => (isPort(text) ? text : undefined),
  // Each beginning of a port is a port.
  begins: (text) => text === "" || isPort(text),
};

/**
 * @param bytes  everything received so far; the header keeps no reference to it
 * @returns `need-more` for fewer than 4,112 bytes only
 */
export function decodeProxyHeader(bytes: Uint8Array): ProxyDecoding {
  return bytes[0] === FIRST_OCTET_OF_V1 ? decodeV1(bytes) : decodeV2(bytes);
}

function decodeV1(bytes: Uint8Array): ProxyDecoding {
  const line = String.fromCharCode(...bytes.subarray(0, MAX_LINE_BYTES));
  const decoding = decodeLine(line);
  return decoding.kind === "need-more" && line.length === MAX_LINE_BYTES ? reject("v1 line too long") : decoding;
}

function decodeLine(line: string): ProxyDecoding {
  if (!line.startsWith(START)) return START.startsWith(line) ? NEED_MORE : reject("not a PROXY header");

  const behind = line.slice(START.length);
  if (behind.startsWith(TCP4)) return decodeFields(line, START.length + TCP4.length, IPV4);
  if (behind.startsWith(TCP6)) return decodeFields(line, START.length + TCP6.length, IPV6);
  if (behind.startsWith(UNKNOWN)) return decodeUnknown(line, START.length + UNKNOWN.length);
  const isBegun = [TCP4, TCP6, UNKNOWN].some((word) => word.startsWith(behind));
  return isBegun ? NEED_MORE : reject("unknown v1 protocol");
}

function decodeUnknown(line: string, start: number): ProxyDecoding {
  const rest = line.slice(start);
  const [skipped] = SKIPPED.exec(rest) ?? [];
  if (skipped !== undefined) return { kind: "header", header: { source: "local" }, consumed: start + skipped.length };
  return SKIPPED_BEGUN.test(rest) ? NEED_MORE : reject("malformed v1 line");
}

function decodeFields(line: string, start: number, address: FieldForm): ProxyDecoding {
  const fields: readonly [form: FieldForm, end: string, fault: string][] = [
    [address, " ", "malformed v1 client address"],
    [address, " ", "malformed v1 server address"],
    [PORT, " ", "malformed v1 client port"],
    [PORT, "\r", "malformed v1 server port"],
  ];
  const values: string[] = [];
  let at = start;
  for (const [form, end, fault] of fields) {
    const stop = line.indexOf(end, at);
    if (stop === -1) return form.begins(line.slice(at)) ? NEED_MORE : reject(fault);
    const value = form.read(line.slice(at, stop));
    if (value === undefined) return reject(fault);
    values.push(value);
    at = stop + end.length;
  }
  if (at === line.length) return NEED_MORE;
  if (line[at] !== "\n") return reject("malformed v1 line");

  const [client = "", server = "", clientPort, serverPort] = values;
  return {
    kind: "header",
    header: {
      source: "proxied",
      client: { address: client, port: Number(clientPort) },
      server: { address: server, port: Number(serverPort) },
      usesTls: false,
    },
    consumed: at + 1,
  };
}

function formatParsed(octets: Uint8Array | undefined): string | undefined {
  return octets === undefined ? undefined : formatIpAddress(octets);
}

function isPort(text: string): boolean {
  return PORT_DIGITS.test(text) && Number(text) <= MAX_PORT;
}
