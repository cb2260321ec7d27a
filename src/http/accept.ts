/**
 * Content negotiation: which of the few forms we can make of a page the client likes best (RFC 9110 §12.5.1).
 *
 * Parameters other than `q` are read and not compared: no form of ours differs from another in these alone.
 */
import { isToken } from "./field-syntax.ts";

interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  /** In thousandths. */
  readonly quality: number;
}

/** How much a client wants a form, and how exactly it said so: 3 by name, 2 by type, 1 as anything, 0 not at all. */
interface Preference {
  readonly quality: number;
  readonly precision: number;
}

const QUALITY = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;
const QUOTED = /^"[^"\\]*"$/;

/**
 * The offered form with the highest quality. Of two with the same, one that is named comes before one that only a
 * wildcard covers; after that the order of `offered` decides.
 *
 * @param accept   the value of Accept; undefined when absent
 * @param offered  media types in lower case, without parameters
 * @returns the first offered when Accept is absent, malformed or wants none of them: a page in an unwanted form is
 *          better than none
 */
export function preferredForm<Form extends string>(
  accept: string | undefined,
  offered: readonly [Form, ...Form[]],
): Form {
  const ranges = parseAccept(accept ?? "");
  let best = offered[0];
  if (ranges === undefined) return best;

  let highest: Preference = { quality: 0, precision: 0 };
  for (const form of offered) {
    const preference = preferenceFor(form, ranges);
    if (!isHigher(preference, highest)) continue;
    best = form;
    highest = preference;
  }
  return best;
}

function isHigher(one: Preference, other: Preference): boolean {
  if (one.quality !== other.quality) return one.quality > other.quality;
  return one.quality > 0 && one.precision > other.precision;
}

/** The most exact range that covers the form decides, even where a wider one says more (RFC 9110 §12.5.1). */
function preferenceFor(form: string, ranges: readonly MediaRange[]): Preference {
  let best: Preference = { quality: 0, precision: 0 };
  for (const range of ranges) {
    const precision = precisionOf(range, form);
    if (precision > best.precision) best = { quality: range.quality, precision };
  }
  return best;
}

function precisionOf(range: MediaRange, form: string): number {
  if (range.type === "*") return 1;
  if (range.subtype === "*") return form.startsWith(`${range.type}/`) ? 2 : 0;
  return form === `${range.type}/${range.subtype}` ? 3 : 0;
}

/** Undefined when any member is malformed; a comma inside a quoted parameter counts as that. */
function parseAccept(accept: string): readonly MediaRange[] | undefined {
  const ranges: MediaRange[] = [];
  for (const member of accept.split(",")) {
    if (member.trim() === "") continue;
    const range = parseMediaRange(member);
    if (range === undefined) return undefined;
    ranges.push(range);
  }
  return ranges;
}

function parseMediaRange(text: string): MediaRange | undefined {
  const [name = "", ...parameters] = text.split(";").map((piece) => piece.trim());
  const [type = "", subtype = "", ...rest] = name.toLowerCase().split("/");
  if (!isToken(type) || !isToken(subtype) || rest.length > 0) return undefined;
  if (type === "*" && subtype !== "*") return undefined;

  let quality = 1000;
  for (const parameter of parameters) {
    if (parameter === "") continue;
    const equals = parameter.indexOf("=");
    const key = parameter.slice(0, equals).toLowerCase();
    const value = parameter.slice(equals + 1);
    if (equals < 1 || !isToken(key) || !(isToken(value) || QUOTED.test(value))) return undefined;
    if (key !== "q") continue;
    if (!QUALITY.test(value)) return undefined;
    quality = Math.round(Number(value) * 1000);
  }
  return { type, subtype, quality };
}
