/**
 * The sections of a configuration file: the main server, virtual hosts, TLS terminators and media types, in any case.
 *
 * A section inherits the keys of [DEFAULT] as far as they are options it can have. A key of [DEFAULT] that is no option
 * is a variable for `%(key)s`; one that nothing refers to is a fault.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { didYouMean, type Fault, fileFault, quote } from "./fault.ts";
import type { IniDocument, IniPair, IniSection } from "./ini-file.ts";
import { findReferences, interpolateAll } from "./interpolate.ts";
import { type Entry, entryFault, type Layer, mergeLayers } from "./layer.ts";
import { parseHostName } from "./listen-address.ts";
import { type NamedOption, optionsByKey } from "./options.ts";
import { TERMINATOR_KEYS } from "./terminator-options.ts";
import type { TerminatorSection } from "./terminator-settings.ts";

export interface FileContent {
  readonly main: Layer;
  /** By host name in lower case. */
  readonly virtualHosts: ReadonlyMap<string, Layer>;
  /** By name in lower case. */
  readonly terminators: ReadonlyMap<string, TerminatorSection>;
  /** By extension, in lower case and without dot. */
  readonly mimeTypes: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
}

/** The file as its faults name it, and the folder its relative paths are relative to. */
export interface ConfigFile {
  readonly name: string;
  readonly folder: AbsolutePath;
}

export const NO_FILE: FileContent = {
  main: new Map(),
  virtualHosts: new Map(),
  terminators: new Map(),
  mimeTypes: new Map(),
  faults: [],
};

type SectionKind =
  | { readonly kind: "main" }
  | { readonly kind: "types" }
  | { readonly kind: "virtual host"; readonly name: string }
  | { readonly kind: "terminator"; readonly name: string }
  | { readonly kind: "default" }
  | { readonly kind: "fault"; readonly problem: string };

type Scope = NamedOption["scope"] | "terminator";

/** Whose options each kind of section can have. */
const SCOPES = { main: ["server", "site"], "virtual host": ["site"], terminator: ["terminator"], types: [] } as const;

const DEFAULT = "DEFAULT";
const MAIN = "Main server configuration";
const MIME_TYPES = "MIME types";
/** A type with or without parameters (RFC 9110 §8.3.1): one that has some is sent as it is. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w-]+=(?:[\w.+-]+|"[\w .+-]*"))*$/;

export function readSections(document: IniDocument, file: ConfigFile): FileContent {
  const faults: Fault[] = [];
  const virtualHosts = new Map<string, Layer>();
  const terminators = new Map<string, TerminatorSection>();
  const defaults = document.sections.find((section) => section.name === DEFAULT) ?? emptySection(DEFAULT);
  const seen = new Map<string, IniSection>();
  let main: Layer | undefined;
  let mimeTypes: ReadonlyMap<string, string> = new Map();

  for (const section of document.sections) {
    const kind = classifySection(section.name);
    const where = { file: file.name, line: section.line };
    if (kind.kind === "fault") {
      faults.push(fileFault(where, `[${quote(section.name)}]: ${kind.problem}`));
      continue;
    }
    const sameAs = "name" in kind ? `${kind.kind} ${kind.name}` : kind.kind;
    const first = seen.get(sameAs);
    if (first !== undefined) {
      const problem = `is the same section as [${quote(first.name)}] at line ${first.line}: expected it once`;
      faults.push(fileFault(where, `[${quote(section.name)}]: ${problem}`));
    }
    seen.set(sameAs, first ?? section);

    if (kind.kind === "default") continue;
    const scopes = SCOPES[kind.kind];
    const values = readPairs(section, defaults, scopes, file, faults);
    if (kind.kind === "types") mimeTypes = readMimeTypes(values, faults);
    if (kind.kind === "main") main = mergeLayers(readOptions(values, scopes, faults), main ?? new Map());
    if (kind.kind === "virtual host") virtualHosts.set(kind.name, readOptions(values, scopes, faults));
    if (kind.kind === "terminator") {
      const layer = readOptions(values, scopes, faults);
      terminators.set(kind.name, { layer, title: section.name, position: where });
    }
  }
  // Without a section of its own the main server still inherits what [DEFAULT] says.
  main ??= readOptions(readPairs(emptySection(MAIN), defaults, SCOPES.main, file, faults), SCOPES.main, faults);
  faults.push(...findUnusedVariables(document, defaults, file));
  return { main, virtualHosts, terminators, mimeTypes, faults };
}

function classifySection(name: string): SectionKind {
  if (name === DEFAULT) return { kind: "default" };
  const words = name.trim().toLowerCase().replace(/\s+/g, " ");
  if (words === "main" || words === MAIN.toLowerCase()) return { kind: "main" };
  if (words === MIME_TYPES.toLowerCase()) return { kind: "types" };
  if (/^virtual host( |$)/.test(words)) {
    const parsed = parseHostName(words.slice("virtual host ".length));
    return parsed === undefined
      ? { kind: "fault", problem: "expected a host name after Virtual host, without port" }
      : { kind: "virtual host", name: parsed };
  }
  if (/^tls terminator( |$)/.test(words)) {
    const [, terminator] = /^tls terminator ([\w.-]+)$/.exec(words) ?? [];
    return terminator === undefined
      ? { kind: "fault", problem: "expected a name of letters, digits, dots and dashes after TLS terminator" }
      : { kind: "terminator", name: terminator };
  }
  const ending = (title: string): string =>
    name
      .trim()
      .replace(/^.*?(\S*)$/, `${title} $1`)
      .trim();
  const known = [MAIN, "main", MIME_TYPES, DEFAULT, ending("Virtual host"), ending("TLS terminator")];
  const suggestion = didYouMean(name, known, (each) => `[${each}]`);
  return {
    kind: "fault",
    problem: `unknown section: expected [main], [MIME types], [Virtual host NAME] or [TLS terminator NAME]${suggestion}`,
  };
}

const emptySection = (name: string): IniSection => ({ name, line: 0, pairs: new Map() });

interface Value {
  readonly entry: Entry;
  /** Whether it stands in the section itself, and not in [DEFAULT]. */
  readonly isOwn: boolean;
}

/**
 * The pairs of a section and those it inherits, interpolated. What cannot be is a fault, but not where it is inherited
 * and of no use here.
 */
function readPairs(
  section: IniSection,
  defaults: IniSection,
  scopes: readonly Scope[],
  file: ConfigFile,
  faults: Fault[],
): readonly Value[] {
  const pairs = new Map([...defaults.pairs, ...section.pairs]);
  const interpolated = interpolateAll(new Map([...pairs].map(([key, pair]) => [key, pair.value])));
  const values: Value[] = [];
  for (const [key, pair] of pairs) {
    const isOwn = section.pairs.has(key);
    const written = toEntry(pair, isOwn ? section : defaults, file);
    const result = interpolated.get(key);
    if (result?.kind === "value") values.push({ entry: { ...written, text: result.value }, isOwn });
    else if (isOwn || isOption(key, scopes)) faults.push(entryFault(written, result?.problem ?? ""));
  }
  return values;
}

function toEntry(pair: IniPair, section: IniSection, file: ConfigFile): Entry {
  const position = { file: file.name, line: pair.line };
  const origin = { kind: "file", position, section: section.name, continuedAt: pair.continuedAt } as const;
  return { key: pair.key, text: pair.value, origin, folder: file.folder };
}

function readOptions(values: readonly Value[], scopes: readonly Scope[], faults: Fault[]): Layer {
  const layer = new Map<string, Entry>();
  for (const { entry, isOwn } of values) {
    if (isOption(entry.key, scopes)) layer.set(entry.key, entry);
    else if (isOwn) faults.push(misplacedOption(entry, scopes));
  }
  return layer;
}

function isOption(key: string, scopes: readonly Scope[]): boolean {
  const known = optionsByKey.get(key);
  const isKnown = known !== undefined && scopes.includes(known.scope);
  return isKnown || (scopes.includes("terminator") && TERMINATOR_KEYS.has(key));
}

function misplacedOption(entry: Entry, scopes: readonly Scope[]): Fault {
  const isOfTerminator = scopes.includes("terminator");
  if (optionsByKey.get(entry.key)?.scope === "server") {
    return entryFault(entry, "is an option of the whole server: expected it in [main]");
  }
  if (!isOfTerminator && TERMINATOR_KEYS.has(entry.key)) {
    return entryFault(entry, "is an option of a terminator: expected it in [TLS terminator NAME]");
  }
  return unknownOption(entry, isOfTerminator ? TERMINATOR_KEYS : optionsByKey.keys());
}

function unknownOption(entry: Entry, known: Iterable<string>): Fault {
  return entryFault(entry, `unknown option${didYouMean(entry.key, known)}`);
}

function readMimeTypes(values: readonly Value[], faults: Fault[]): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const { entry, isOwn } of values) {
    if (!isOwn) continue;
    const extension = entry.key.replace(/^\./, "");
    if (!/^[^\s/\\.,]+$/.test(extension)) faults.push(entryFault(entry, "expected a file extension before the ="));
    else if (!MEDIA_TYPE.test(entry.text)) faults.push(entryFault(entry, "expected a media type such as text/plain"));
    else if (types.has(extension))
      faults.push(entryFault(entry, "expected each extension once, with or without its dot"));
    else types.set(extension, entry.text.toLowerCase());
  }
  return types;
}

function findUnusedVariables(document: IniDocument, defaults: IniSection, file: ConfigFile): readonly Fault[] {
  const pairs = document.sections.flatMap((section) => [...section.pairs.values()]);
  const used = new Set(pairs.flatMap((pair) => findReferences(pair.value)));
  return [...defaults.pairs.values()]
    .filter(({ key }) => !optionsByKey.has(key) && !TERMINATOR_KEYS.has(key) && !used.has(key))
    .map((pair) => unknownOption(toEntry(pair, defaults, file), optionsByKey.keys()));
}
