/**
 * What the lines of a transcript mean: the bytes that a send block stands for, and the patterns of a receive block.
 * The notation is explained in `test/transcripts/README.md`.
 */
import type { Vocabulary } from "./transcript.ts";

/** Values that `{name}` stood for so far in one case. */
export type Captures = Map<string, string>;

export interface Sending {
  readonly bytes: Buffer;
  readonly afterwards: "nothing" | "half-close" | "leave";
}

/** `close`: announced by `Connection: close`; `eof`: without a word; `end`: either of them. */
type Ending = "open" | "close" | "eof" | "end";

export interface Expectation {
  /** Undefined where nothing but the end of the connection is expected. */
  readonly statusLine: string | undefined;
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** Names of the common fields that this response must not have. */
  readonly without: readonly string[];
  /** Undefined when no byte may follow the head. */
  readonly body: string | undefined;
  readonly ending: Ending;
}

/** The bytes of a send block; each line ends in CRLF unless a backslash stands at its end. */
export function encodeSending(lines: readonly string[], captures: Captures): Sending {
  const last = lines.at(-1);
  const afterwards = last === "<half-close>" ? "half-close" : last === "<leave>" ? "leave" : "nothing";
  const sent = afterwards === "nothing" ? lines : lines.slice(0, -1);
  const text = sent.map((line) => encodeLine(line, captures)).join("");
  return { bytes: Buffer.from(text, "latin1"), afterwards };
}

function encodeLine(line: string, captures: Captures): string {
  const joined = /(^|[^\\])(\\\\)*\\$/.test(line);
  const text = (joined ? line.slice(0, -1) : line)
    .replace(/\{(\d+)\*([^}]*)\}/g, (_, count: string, what: string) => what.repeat(Number(count)))
    .replace(/\{(\w+)\}/g, (_, name: string) => captures.get(name) ?? fault(`{${name}} has no value yet`));
  return readEscapes(text) + (joined ? "" : "\r\n");
}

/** Replaces `\r`, `\n`, `\t`, `\\` and `\xHH`. */
function readEscapes(text: string): string {
  if (/[^\t\n\x20-\x7e]/.test(text)) fault(`write other bytes as \\xHH: ${text}`);
  return text.replace(/\\(x[0-9a-f]{2}|.)/gi, (sequence: string, what: string) => {
    if (what.length === 3) return String.fromCharCode(Number.parseInt(what.slice(1), 16));
    return { r: "\r", n: "\n", t: "\t", "\\": "\\" }[what] ?? fault(`unknown escape ${sequence}`);
  });
}

const ENDINGS: ReadonlyMap<string, Ending> = new Map([
  ["<close>", "close"],
  ["<eof>", "eof"],
  ["<end>", "end"],
]);

/** Reads a receive block: definitions put in, split into status line, fields, body and ending. */
export function parseExpectation(lines: readonly string[], definitions: Vocabulary["definitions"]): Expectation {
  const expanded = expand(lines, definitions);
  const marks = expanded.filter((line) => ENDINGS.has(line) || line.startsWith("<without "));
  const [statusLine, ...rest] = expanded.filter((line) => !marks.includes(line));
  const end = rest.indexOf("");
  const head = end < 0 ? rest : rest.slice(0, end);
  return {
    statusLine,
    fields: head.map((line) => {
      const [, name, value] = /^([^:<]+): (.*)$/.exec(line) ?? fault(`not a field: ${line}`);
      return { name: name ?? "", value: value ?? "" };
    }),
    without: marks.filter((mark) => mark.startsWith("<without ")).map((mark) => mark.slice(9, -1)),
    body: end < 0 ? undefined : rest.slice(end + 1).join("\n"),
    ending: marks.map((mark) => ENDINGS.get(mark)).find((ending) => ending !== undefined) ?? "open",
  };
}

/** Puts the lines of a definition where `<NAME ARGUMENT …>` stands; `{1}`, `{2}` … in them are the arguments. */
function expand(lines: readonly string[], definitions: Vocabulary["definitions"]): readonly string[] {
  return lines.flatMap((line) => {
    const [name = "", ...args] = /^<(.+)>$/.exec(line)?.[1]?.split(" ") ?? [];
    const definition = definitions.get(name);
    if (definition === undefined) return [line];
    const filled = definition.map((text) =>
      text.replace(/\{(\d)\}/g, (_, n: string) => args[Number(n) - 1] ?? fault(`argument ${n} is missing in ${line}`)),
    );
    return expand(filled, definitions);
  });
}

/**
 * Compares received text with a pattern: `{any}` is anything, `{name}` is what it was before in this case, or anything
 * but a double quote the first time. New values are kept in `captures` only when all of it matches.
 */
export function matches(pattern: string, received: string, captures: Captures): boolean {
  const names: string[] = [];
  const source = unescapedParts(pattern)
    .map((part) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      if (name === undefined) return quote(readEscapes(part));
      if (name === "any") return "[^]*";
      const before = captures.get(name);
      if (before !== undefined) return quote(before);
      if (names.includes(name)) return `(?:\\${names.indexOf(name) + 1})`;
      names.push(name);
      return '([^"]+?)';
    })
    .join("");
  const found = new RegExp(`^${source}$`).exec(received);
  if (found === null) return false;
  for (const [index, name] of names.entries()) captures.set(name, found[index + 1] ?? "");
  return true;
}

/** Splits at the wildcards and keeps them. */
function unescapedParts(pattern: string): readonly string[] {
  return pattern.split(/(\{\w+\})/).filter((part) => part !== "");
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function fault(what: string): never {
  throw new Error(what);
}
