/**
 * The configuration file: bytes become sections of pairs, each with its line, or faults.
 *
 * The `ini` package decodes it. It reads npm's dialect, though, in which dotted sections nest, `;` and `#` cut values,
 * duplicates vanish and lines have no numbers. So the lines are scanned first by ConfigParser's rules, then written
 * anew in a form that says the same in both dialects, and that is what `ini` is given.
 *
 * Interpolation and [DEFAULT] come later (file-sections.ts). This is the one file of the configuration that looks at the disk.
 */
import { readFileSync, statSync } from "node:fs";
import { parse } from "ini";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { errorCode } from "../base/errors.ts";
import { type Fault, fileFault, quote } from "./fault.ts";
import { type ScannedPair, type ScannedSection, scanIni } from "./ini-scan.ts";

export type IniPair = ScannedPair;
export type IniSection = ScannedSection;

/** What could be understood of a file, and everything that could not. */
export interface IniDocument {
  /** In the order of the file, [DEFAULT] among them. */
  readonly sections: readonly IniSection[];
  readonly faults: readonly Fault[];
}

type ReadResult =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "missing" }
  /** `reason` completes the sentence "cannot be read: …". */
  | { readonly kind: "unreadable"; readonly reason: string };

/** What loading the settings needs to know of the disk. */
export interface ConfigDisk {
  read(path: AbsolutePath): ReadResult;
  isFolder(path: AbsolutePath): boolean;
}

export const realDisk: ConfigDisk = {
  read(path) {
    try {
      return { kind: "bytes", bytes: readFileSync(path) };
    } catch (error) {
      return explainUnreadable(error);
    }
  },
  isFolder(path) {
    try {
      return statSync(path).isDirectory();
    } catch {
      return false;
    }
  },
};

/**
 * Never throws, whatever the bytes.
 *
 * @param file  the name of the file as its user knows it, for the faults
 */
export function parseIniFile(bytes: Uint8Array, file: string): IniDocument {
  if (isUtf16(bytes)) return { sections: [], faults: [fileFault({ file, line: 1 }, "UTF-16 text: expected UTF-8")] };
  const { lines, faults } = decodeLines(bytes, file);
  const scan = scanIni(lines, file);
  return { sections: decodeSections(scan.sections), faults: [...faults, ...scan.faults] };
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
      ([key, pair]) => [key, { ...pair, value: textAt(values, mark(key)) }] as const,
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

function explainUnreadable(error: unknown): ReadResult {
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return { kind: "missing" };
    case "EACCES":
    case "EPERM":
      return { kind: "unreadable", reason: "no permission" };
    case "EISDIR":
      return { kind: "unreadable", reason: "it is a folder" };
    default:
      return { kind: "unreadable", reason: error instanceof Error ? error.message : String(error) };
  }
}
