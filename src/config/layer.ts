/**
 * Layers: what one source, the command line or a section of the file, says of the options, and how it is read as values.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { ErrorStatus } from "../base/status.ts";
import { type Fault, fileFault, flagFault, formatPosition, type Position, quote } from "./fault.ts";
import { errorPageOptions, keyOf, type Option, type Rows, type SettingsOf, type Situation } from "./options.ts";

type Origin =
  | { readonly kind: "flag" }
  | {
      readonly kind: "file";
      readonly position: Position;
      /** As it is written in the file. */
      readonly section: string;
      /** The line that continues the value, if one does. */
      readonly continuedAt: number | undefined;
    };

/** The text that one source gives for one option. */
export interface Entry {
  readonly key: string;
  readonly text: string;
  readonly origin: Origin;
  /** What a relative path in `text` is relative to. */
  readonly folder: AbsolutePath;
}

/** At most one entry for each option, by its key. */
export type Layer = ReadonlyMap<string, Entry>;

/** One layer over the others: for each key the entry of the first layer that has one. */
export function mergeLayers(...layers: readonly Layer[]): Layer {
  return new Map(layers.toReversed().flatMap((layer) => [...layer]));
}

/** Where a value came from, as an operator would say it: `--port` or `conf/comanche.conf:12`. */
export function describeOrigin(entry: Entry): string {
  return entry.origin.kind === "flag" ? `--${entry.key}` : formatPosition(entry.origin.position);
}

/** @param problem  what is wrong with the entry: "expected a whole number from 0 to 65535" */
export function entryFault(entry: Entry, problem: string): Fault {
  const { key, text, origin } = entry;
  if (origin.kind === "flag") return flagFault(`--${key}=${text === "" ? '""' : quote(text)}`, problem);
  const value = text === "" ? "" : ` ${quote(text)}`;
  return fileFault(
    origin.position,
    `[${quote(origin.section)}] ${quote(key)} =${value}: ${problem}${hint(text, origin)}`,
  );
}

/** Whether something is wrong, which options disagree then, and what is wrong. */
export type Check = readonly [isWrong: boolean, keys: readonly string[], problem: string];

/**
 * The faults of options that disagree, each at the first of them that is set. What is not set contradicts nothing.
 *
 * @param unreadable  keys whose values are faults already
 */
export function faultsAt(checks: readonly Check[], layer: Layer, unreadable: ReadonlySet<string>): readonly Fault[] {
  return checks.flatMap(([isWrong, keys, problem]) => {
    if (!isWrong || keys.some((key) => unreadable.has(key))) return [];
    const entry = keys.map((key) => layer.get(key)).find((each) => each !== undefined);
    return entry === undefined ? [] : [entryFault(entry, problem)];
  });
}

/** The two slips that make a good value bad without showing it. */
function hint(text: string, origin: Extract<Origin, { kind: "file" }>): string {
  if (origin.continuedAt !== undefined) return ` (line ${origin.continuedAt} is indented, so it continues this value)`;
  return /\s[#;]/.test(text) ? " (a comment needs a line of its own)" : "";
}

/** Reads a layer as values, by the rows of the option table. A value that cannot be read is a fault, and the default stands in for it meanwhile. */
export class LayerReader {
  /** The keys whose values could not be read. */
  readonly unreadable = new Set<string>();
  readonly #layer: Layer;
  readonly #situation: Situation;
  readonly #faults: Fault[];

  /** @param faults  gets those that are found */
  constructor(layer: Layer, situation: Situation, faults: Fault[]) {
    this.#layer = layer;
    this.#situation = situation;
    this.#faults = faults;
  }

  readRows<Each extends Rows>(rows: Each, inherited: Partial<SettingsOf<Each>> = {}): SettingsOf<Each> {
    const values = Object.entries(rows).map(([property, row]) => {
      const otherwise = property in inherited ? inherited[property] : row.defaultFor(this.#situation);
      return [property, this.read(row, keyOf(property), otherwise)];
    });
    return Object.fromEntries(values) as SettingsOf<Each>;
  }

  readErrorPages(inherited: ReadonlyMap<number, string> | undefined): ReadonlyMap<ErrorStatus, string> {
    const pages = new Map<ErrorStatus, string>();
    for (const [status, row] of errorPageOptions) {
      const otherwise = inherited === undefined ? row.defaultFor(this.#situation) : inherited.get(status);
      const page = this.read(row, `error-${status}`, otherwise);
      if (page !== undefined) pages.set(status, page);
    }
    return pages;
  }

  read<Value>({ kind }: Pick<Option<Value>, "kind">, key: string, otherwise: Value): Value {
    const entry = this.#layer.get(key);
    if (entry === undefined) return otherwise;
    const parsed = kind.parse(entry.text, entry.folder);
    if (parsed.kind === "value") return parsed.value;
    this.unreadable.add(key);
    this.#faults.push(entryFault(entry, `expected ${parsed.expects}`));
    return otherwise;
  }
}
