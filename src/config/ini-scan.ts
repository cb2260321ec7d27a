/**
 * The lines of a configuration file: which are sections, which are pairs, which continue a pair, and which are wrong.
 *
 * The rules are those of Python's ConfigParser: `key = value` or `key: value`; a line that begins with `#` or `;` is a
 * comment, and nothing else is one; a line indented deeper than the key above it continues the value, also across
 * empty lines and comments; keys are compared in lower case, section names as they are written. Where ConfigParser
 * passes over something in silence (text after a section's bracket, a second [DEFAULT]) there is a fault.
 */
import { type Fault, fileFault, quote } from "./fault.ts";

export interface ScannedPair {
  /** In lower case. */
  readonly key: string;
  /** Its lines joined with line feeds, without blanks at either end of each. */
  readonly value: string;
  readonly line: number;
  /** The first line that continues the value. */
  readonly continuedAt: number | undefined;
}

export interface ScannedSection {
  readonly name: string;
  readonly line: number;
  readonly pairs: ReadonlyMap<string, ScannedPair>;
}

export interface Scan {
  readonly sections: readonly ScannedSection[];
  readonly faults: readonly Fault[];
}

interface OpenPair {
  readonly key: string;
  readonly line: number;
  readonly values: string[];
  continuedAt: number | undefined;
}

interface OpenSection {
  readonly name: string;
  readonly line: number;
  readonly pairs: Map<string, OpenPair>;
}

/** @param file  the name of the file, for the faults */
export function scanIni(lines: readonly string[], file: string): Scan {
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
      pair?.values.push("");
      continue;
    }
    const indent = text.length - text.trimStart().length;
    if (pair !== undefined && indent > indentOfPair) {
      pair.values.push(content);
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
        addFault(`[${quote(name)}]: began at line ${section.line} already: expected each section once`);
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
    pair = { key, line, values: [value.trim()], continuedAt: undefined };
    if (section === undefined) {
      if (!saysNoSection) addFault(`${quote(content)}: expected a section before it, such as [main]`);
      saysNoSection = true;
      continue;
    }
    const first = section.pairs.get(key);
    if (first === undefined) section.pairs.set(key, pair);
    else {
      const found = `[${quote(section.name)}] ${quote(key)} = ${quote(value.trim())}`;
      addFault(`${found}: was given at line ${first.line} already: expected each key once in a section`);
    }
  }
  return { sections: [...sections.values()].map(closeSection), faults };
}

function closeSection(section: OpenSection): ScannedSection {
  return { ...section, pairs: new Map([...section.pairs].map(([key, pair]) => [key, closePair(pair)])) };
}

function closePair(pair: OpenPair): ScannedPair {
  const { key, line, continuedAt } = pair;
  return { key, value: pair.values.join("\n").trimEnd(), line, continuedAt };
}
