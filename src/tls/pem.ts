/**
 * PEM files (RFC 7468): read whole or refused, never in part. Read is what OpenSSL, nginx and hitch read: words between
 * the blocks, blanks around base64, CRLF, a byte-order mark. Refused is what they refuse, and also what they drop without
 * a word: a block whose BEGIN line is indented or damaged. What the blocks contain, others decide.
 */

export interface PemFile {
  /** For messages. */
  readonly name: string;
  /** Its bytes as latin1. */
  readonly text: string;
}

export interface PemBlock {
  /** Such as `CERTIFICATE`. */
  readonly label: string;
  /** Of its BEGIN line, from 1. */
  readonly line: number;
  readonly isEncrypted: boolean;
  /** The block alone, without blanks and header lines, each line with LF. */
  readonly text: string;
}

export type PemReading =
  | { readonly kind: "blocks"; readonly blocks: readonly PemBlock[] }
  /** With file and line. Never quotes the file, which may contain a key. */
  | { readonly kind: "fault"; readonly fault: string };

const BEGIN = /^-----BEGIN (.+)-----$/;
/** A BEGIN or END line, whole or damaged. A commented-out one begins with another character and is text. */
const BOUNDARY = /^[ \t]*-{2,}(?:BEGIN|END)\b/;
const DASHES = "-----";
const UTF8_MARK = "\xef\xbb\xbf";
const UTF16_MARKS = ["\xff\xfe", "\xfe\xff"];
const BASE64_LINE = /^[A-Za-z0-9+/=]*$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** The first header line of an encrypted block (RFC 1421 §4.6.1.1). OpenSSL knows no other use of headers. */
const ENCRYPTED_HEADER = /^Proc-Type: *4, *ENCRYPTED$/;

export function readPem({ name, text }: PemFile): PemReading {
  const fault = (line: number, what: string): PemReading => ({ kind: "fault", fault: `${name}:${line}: ${what}` });
  if (UTF16_MARKS.some((mark) => text.startsWith(mark))) return fault(1, "UTF-16 text: expected plain ASCII");
  const lines = text.split("\n").map(withoutBlanksBehind);
  const blocks: PemBlock[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = withoutMark(lines[at] ?? "");
    const [, label] = BEGIN.exec(line) ?? [];
    if (label === undefined) {
      if (BOUNDARY.test(line))
        return fault(at + 1, "damaged PEM line: expected a line such as -----BEGIN CERTIFICATE-----");
      continue;
    }
    const body = readBody(lines, at, label);
    if (body.kind === "fault") return fault(body.at + 1, body.what);
    blocks.push(body.block);
    at = body.end;
  }
  return { kind: "blocks", blocks };
}

type Body =
  /** `end`: index of its END line. */
  | { readonly kind: "block"; readonly block: PemBlock; readonly end: number }
  /** `at`: index of the line. */
  | { readonly kind: "fault"; readonly at: number; readonly what: string };

/** @param begin  index of the BEGIN line */
function readBody(lines: readonly string[], begin: number, label: string): Body {
  const fault = (at: number, what: string): Body => ({ kind: "fault", at, what });
  const from = `the block ${label} from line ${begin + 1}`;
  let end = begin + 1;
  while (end < lines.length && lines[end]?.startsWith(DASHES) === false) end += 1;
  if (end === lines.length) return fault(begin, `the block ${label} has no END line: the file is incomplete`);
  const endLine = `-----END ${label}-----`;
  if (lines[end] !== endLine) return fault(end, `${from} does not end here: expected only ${endLine} on the line`);

  const body = lines.slice(begin + 1, end);
  const [first] = body;
  const isEncrypted = first !== undefined && ENCRYPTED_HEADER.test(first);
  // An empty line ends a header, also an empty header.
  const start = isEncrypted || first === "" ? body.indexOf("") + 1 : 0;
  const content = body.slice(start).map(withoutBlanks);
  const bad = content.findIndex((line) => line === "" || !BASE64_LINE.test(line));
  if (bad !== -1) return fault(begin + 1 + start + bad, `${from} has a line that is not base64`);
  const base64 = content.join("");
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) return fault(end, `${from} has incomplete base64`);
  const text = [`-----BEGIN ${label}-----`, ...content, endLine, ""].join("\n");
  return { kind: "block", block: { label, line: begin + 1, isEncrypted, text }, end };
}

/** OpenSSL skips a byte-order mark before a BEGIN line: at the start, and where files were joined. */
function withoutMark(line: string): string {
  return line.startsWith(UTF8_MARK) ? line.slice(UTF8_MARK.length) : line;
}

/** Blanks and control characters, as OpenSSL. A loop, because a regular expression tries a run of blanks at each of them. */
function withoutBlanksBehind(line: string): string {
  let end = line.length;
  while (end > 0 && line.charCodeAt(end - 1) <= 0x20) end -= 1;
  return line.slice(0, end);
}

function withoutBlanks(line: string): string {
  return line.replaceAll(/[ \t]/g, "");
}
