/**
 * Interpolation as ConfigParser does it: `%(key)s` stands for the value of that key in the same section or in [DEFAULT],
 * and `%%` for a percent sign. References are at most ten deep, and do not make a value longer than a mebibyte.
 */
import { didYouMean, quote } from "./fault.ts";

export type Interpolation =
  | {
      readonly kind: "value";
      readonly value: string;
      /** How many references deep the value is made. */
      readonly depth: number;
    }
  /** `problem` says what was expected instead. */
  | { readonly kind: "fault"; readonly problem: string };

const MAX_DEPTH = 10;
const MAX_EXPANDED_LENGTH = 1024 * 1024;

/** Either a reference, a doubled percent sign, or one that stands alone. */
const PERCENT = /%\(([^)]*)\)s|%%|%/g;

/** The keys, in lower case, that a value refers to. */
export function findReferences(text: string): readonly string[] {
  return [...text.matchAll(PERCENT)].flatMap(([, key]) => (key === undefined ? [] : [key.toLowerCase()]));
}

/** @param raw  every value that can be referred to, by key in lower case */
export function interpolateAll(raw: ReadonlyMap<string, string>): ReadonlyMap<string, Interpolation> {
  // Each key is worked out once: without that a few lines of references to references would take for ever.
  const known = new Map<string, Interpolation>();
  return new Map([...raw.keys()].map((key) => [key, expand(key, [], raw, known)]));
}

/** @param path  the keys whose values are being worked out and led here */
function expand(
  key: string,
  path: readonly string[],
  raw: ReadonlyMap<string, string>,
  known: Map<string, Interpolation>,
): Interpolation {
  const done = known.get(key);
  if (path.length + (done?.kind === "value" ? done.depth : 0) > MAX_DEPTH) {
    return fault(`expected references at most ${MAX_DEPTH} deep`);
  }
  if (done !== undefined) return done;
  if (path.includes(key)) return fault(`expected no circle of references: ${quote([...path, key].join(" -> "))}`);
  const text = raw.get(key);
  if (text === undefined) {
    const suggestion = didYouMean(key, raw.keys());
    return fault(`expected %(${quote(key)})s to name a key of this section or of [DEFAULT]${suggestion}`);
  }

  const here = [...path, key];
  let value = "";
  let depth = 0;
  let copied = 0;
  for (const match of text.matchAll(PERCENT)) {
    const [whole, name] = match;
    value += text.slice(copied, match.index);
    copied = match.index + whole.length;
    if (whole === "%") {
      const place = path.length === 0 ? "" : ` (in the value of ${quote(key)})`;
      return fault(`expected %% for a percent sign, or %(key)s for the value of a key${place}`);
    }
    if (name === undefined) {
      value += "%";
      continue;
    }
    const inner = expand(name.toLowerCase(), here, raw, known);
    if (inner.kind === "fault") return inner;
    value += inner.value;
    depth = Math.max(depth, inner.depth + 1);
    if (value.length > MAX_EXPANDED_LENGTH) return fault("expected references that make at most 1m of text");
  }
  const expanded: Interpolation = { kind: "value", value: value + text.slice(copied), depth };
  known.set(key, expanded);
  return expanded;
}

const fault = (problem: string): Interpolation => ({ kind: "fault", problem });
