/** Content negotiation: the client's preferred form of a page (RFC 9110 §12.5.1). Only `q` of all parameters counts. */
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
 * The offered form with the highest quality. On a tie, a form that is named wins over a wildcard, then the order of
 * `offered` decides.
 * @param offered  media types in lower case, without parameters
 * @returns the first offered when Accept is absent, malformed or accepts none: better an unwanted form than no page
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

/** Undefined when any member is malformed, also for a comma inside a quoted parameter. */
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
