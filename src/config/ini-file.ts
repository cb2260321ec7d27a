/**
 * The configuration file: bytes become sections of pairs, each with its line, or faults.
 *
 * The rules are those of Python's ConfigParser: `key = value` or `key: value`; a line that begins with `#` or `;` is a
 * comment, and nothing else is one; a line indented deeper than the key above it continues the value, also across
 * empty lines and comments; keys are compared in lower case, section names as they are written. Where ConfigParser
 * ignores something (text after a section's bracket, a second [DEFAULT]) there is a fault.
 *
 * The `ini` package decodes the text. In its dialect dotted sections nest, `;` and `#` cut values, duplicates vanish and
 * lines have no numbers. So it gets the scanned lines in a form that means the same in both dialects.
 */
import { parse } from "ini";
import { type Fault, fileFault, quote } from "./fault.ts";

export interface IniPair {
  /** In lower case. */
  readonly key: string;
  /** Its lines joined with line feeds, without blanks at either end of each. */
  readonly value: string;
  readonly line: number;
  /** The first line that continues the value. */
  readonly continuedAt: number | undefined;
}

export interface IniSection {
  readonly name: string;
  readonly line: number;
  readonly pairs: ReadonlyMap<string, IniPair>;
}

/** What could be understood of a file, and everything that could not. */
export interface IniDocument {
  /** In the order of the file, [DEFAULT] among them. */
  readonly sections: readonly IniSection[];
  readonly faults: readonly Fault[];
}

/** Never throws, whatever the bytes. @param file  the name of the file as its user knows it, for the faults */
export function parseIniFile(bytes: Uint8Array, file: string): IniDocument {
  if (isUtf16(bytes)) return { sections: [], faults: [fileFault({ file, line: 1 }, "UTF-16 text: expected UTF-8")] };
  const { lines, faults } = decodeLines(bytes, file);
  const scan = scanIni(lines, file);
  return { sections: decodeSections(scan.sections), faults: [...faults, ...scan.faults] };
}

type OpenPair = { -readonly [Property in keyof IniPair]: IniPair[Property] };
type OpenSection = IniSection & { readonly pairs: Map<string, OpenPair> };

/** @param file  the name of the file, for the faults */
function scanIni(lines: readonly string[], file: string): IniDocument {
  const sections = new Map<string, OpenSection>();
  const faults: Fault[] = [];
  let section: OpenSection | undefined;
  let pair: OpenPair | undefined;
  let indentOfPair = 0;
  let saysNoSection = false;

  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    const content = text.trim();
    const addFault = (problem: string) => faults.push(fileFault({ file, line }, problem));

    if (content.startsWith("#") || content.startsWith(";")) continue;
    if (content === "") {
      if (pair !== undefined) pair.value += "\n";
      continue;
    }
    const indent = text.length - text.trimStart().length;
    if (pair !== undefined && indent > indentOfPair) {
      pair.value += `\n${content}`;
      pair.continuedAt ??= line;
      continue;
    }
    indentOfPair = indent;
    pair = undefined;

    if (content.startsWith("[")) {
      const name = /^\[(.+)\]$/s.exec(content)?.[1];
      if (name === undefined) {
        addFault(`${quote(content)}: expected a section such as [main], alone on its line`);
        continue;
      }
      section = sections.get(name);
      if (section !== undefined) {
        addFault(`[${quote(name)}]: already began at line ${section.line}: expected each section once`);
      }
      section ??= { name, line, pairs: new Map() };
      sections.set(name, section);
      continue;
    }

    const [, name, value] = /^([^=:]*)[=:](.*)$/s.exec(content) ?? [];
    if (name === undefined || value === undefined) {
      addFault(`${quote(content)}: expected key = value, a [section] or a comment`);
      continue;
    }
    const key = name.trim().toLowerCase();
    if (key === "") {
      addFault(`${quote(content)}: expected a key before the ${content[0]}`);
      continue;
    }
    pair = { key, line, value: value.trim(), continuedAt: undefined };
    if (section === undefined) {
      if (!saysNoSection) addFault(`${quote(content)}: expected a section before it, such as [main]`);
      saysNoSection = true;
      continue;
    }
    const first = section.pairs.get(key);
    if (first === undefined) section.pairs.set(key, pair);
    else {
      const found = `[${quote(section.name)}] ${quote(key)} = ${quote(value.trim())}`;
      addFault(`${found}: already given at line ${first.line}: expected each key once in a section`);
    }
  }
  return { sections: [...sections.values()], faults };
}

/** Every section and pair in a form that `ini` reads as exactly these, quoted as in JSON. */
function formatCanonical(sections: readonly IniSection[]): string {
  return sections
    .flatMap((section) => [
      `[${canonicalSection(section.name)}]`,
      ...[...section.pairs.values()].map((pair) => `${canonicalKey(pair.key)} = ${canonicalText(pair.value)}`),
    ])
    .join("\n");
}

function decodeSections(sections: readonly IniSection[]): readonly IniSection[] {
  const decoded: Readonly<Record<string, unknown>> = parse(formatCanonical(sections));
  return sections.map((section) => {
    const values = decoded[sectionKey(section.name)];
    const pairs = [...section.pairs].map(
      ([key, pair]) => [key, { ...pair, value: textAt(values, mark(key)).trimEnd() }] as const,
    );
    return { ...section, pairs: new Map(pairs) };
  });
}

function textAt(values: unknown, key: string): string {
  const value: unknown = typeof values === "object" && values !== null ? Reflect.get(values, key) : undefined;
  // `ini` turns the words true, false and null into what they name, also when they are quoted.
  if (typeof value === "string" || typeof value === "boolean" || value === null) return String(value);
  throw new Error(`the canonical text lost the key ${key}`);
}

/** A name that ends in this mark is neither `__proto__`, which `ini` drops, nor ends in `[]`, which makes a list. */
const mark = (name: string): string => `${name}=`;

/** Without dots, at which `ini` would nest sections, and without backslashes, which would keep it from that: as in a URI. */
const sectionKey = (name: string): string =>
  mark(name.replace(/[%.\\]/g, (character) => `%${character.charCodeAt(0).toString(16)}`));

const canonicalSection = (name: string): string => canonicalText(sectionKey(name));
const canonicalKey = (key: string): string => canonicalText(mark(key));

/** JSON text on one line without the characters that `ini` looks for before it looks for quotes. */
function canonicalText(text: string): string {
  return JSON.stringify(text).replace(
    /[=[\]\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Splits at LF, CR LF or CR before it decodes, so that a line that is not UTF-8 is known by its number. */
function decodeLines(bytes: Uint8Array, file: string): { readonly lines: readonly string[]; readonly faults: Fault[] } {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
  const lines: string[] = [];
  const faults: Fault[] = [];
  for (const line of splitLines(withoutByteOrderMark(bytes))) {
    try {
      lines.push(strict.decode(line));
    } catch {
      const text = lenient.decode(line);
      lines.push(text);
      faults.push(fileFault({ file, line: lines.length }, `${quote(text.trim())}: expected UTF-8 text`));
    }
  }
  return { lines, faults };
}

function splitLines(bytes: Uint8Array): readonly Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== LINE_FEED && bytes[at] !== CARRIAGE_RETURN) continue;
    lines.push(bytes.subarray(start, at));
    if (bytes[at] === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED) at++;
    start = at + 1;
  }
  lines.push(bytes.subarray(start));
  return lines;
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}
