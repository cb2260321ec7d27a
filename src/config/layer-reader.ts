/**
 * One layer read as values, by the rows of the option table.
 */
import type { ErrorStatus } from "../base/status.ts";
import type { Fault } from "./fault.ts";
import { entryFault, type Layer } from "./layer.ts";
import { errorPageOptions, keyOf, type Option, type SettingsOf, type Situation } from "./options.ts";

type Rows = Readonly<Record<string, Option<unknown>>>;

/** A value that cannot be read is a fault, and the default stands in for it meanwhile. */
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
