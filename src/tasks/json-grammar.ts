/**
 * The grammar of a JSON text (RFC 8259) as a table: in each place, where each octet leads.
 *
 * A place is what the octets so far have led to, and has words for what should follow there. What follows a value
 * depends on what the value stands in, so some octets lead not to a place but to a step that `JsonSyntax` takes.
 */

/** The steps. After each the octet has been read, but for the first. */
export const END_NUMBER = 0; // The octet stands behind the number: it is read once more, as what follows a value.
export const END_VALUE = 1;
export const END_STRING = 2;
export const END_CHARACTER = 3; // Of one that takes several octets.
export const BEGIN_KEY = 4;
export const OPEN_ARRAY = 5;
export const OPEN_OBJECT = 6;
export const CLOSE = 7;
export const END_LINE = 8;
/** From here up to `FIRST_PLACE`: the octet is refused. */
const FIRST_REFUSAL = 16;
/** From here on a number is a place: that of its row, times 256. */
export const FIRST_PLACE = 256;

/** Words for what would have been right, where those of the place do not say enough. */
interface Refusal {
  readonly expected: string;
}

/** The name of a place, `same` for the one it stands in, a step, or why the octet is refused. */
type Target = string | number | Refusal;

/** Keys are insides of a character class; no two of one place have an octet in common. */
type Moves<To> = Readonly<Record<string, To>>;

interface Row<To> {
  readonly expected: string;
  readonly moves: Moves<To>;
  /** For every other octet. */
  readonly otherwise: typeof END_NUMBER | Refusal;
  /** How many octets of a character have been read here. */
  readonly characterOctets: number;
}

function place<const To extends Target>(expected: string, moves: Moves<To>): Row<To> {
  return { expected, moves, otherwise: { expected }, characterOctets: 0 };
}

/** Where a number may end. */
function numberPlace<const To extends Target>(moves: Moves<To>): Row<To> {
  return { ...place("what follows a value", moves), otherwise: END_NUMBER };
}

/** Within a character of several octets. */
function characterPlace<const To extends Target>(
  octetsRead: number,
  moves: Moves<To>,
  expected = VALID_UTF8.expected,
): Row<To> {
  return { ...place(expected, moves), characterOctets: octetsRead };
}

const VALID_UTF8: Refusal = { expected: "valid UTF-8" };
const VALUE_WITHOUT_MARK: Refusal = { expected: "a value without a byte order mark before it" };
const NO_LEADING_ZERO: Refusal = { expected: "a number without leading zeros" };
const ESCAPED_CONTROL: Refusal = { expected: "an escape such as \\n in place of a control character" };

const BLANKS = { " \t\r": "same", "\n": END_LINE } as const;
const DIGIT = "0-9";
const HEX_DIGIT = "0-9A-Fa-f";
const TAIL = "\x80-\xbf";

const VALUE = {
  ...BLANKS,
  '"': "string",
  "-": "minus",
  "0": "zero",
  "1-9": "integer",
  "{": OPEN_OBJECT,
  "[": OPEN_ARRAY,
  t: "t",
  f: "f",
  n: "n",
} as const;

const table = buildTable({
  start: place("a value", { ...VALUE, "\xef": "mark-2" }),
  // A byte order mark is EF BB BF. No other character that begins like it is a value either.
  "mark-2": characterPlace(1, { "\xbb": "mark-3" }, "a value"),
  "mark-3": characterPlace(2, { "\xbf": VALUE_WITHOUT_MARK }, "a value"),

  value: place("a value", VALUE),
  "first-element": place("a value or ]", { ...VALUE, "\\]": CLOSE }),
  "after-element": place("a comma or ]", { ...BLANKS, ",": "value", "\\]": CLOSE }),
  "first-key": place("a key in double quotes or }", { ...BLANKS, '"': BEGIN_KEY, "}": CLOSE }),
  "next-key": place("a key in double quotes", { ...BLANKS, '"': BEGIN_KEY }),
  "after-key": place("a colon", { ...BLANKS, ":": "value" }),
  "after-member": place("a comma or }", { ...BLANKS, ",": "next-key", "}": CLOSE }),
  "after-text": place("nothing after the value", BLANKS),

  t: place("true", { r: "tr" }),
  tr: place("true", { u: "tru" }),
  tru: place("true", { e: END_VALUE }),
  f: place("false", { a: "fa" }),
  fa: place("false", { l: "fal" }),
  fal: place("false", { s: "fals" }),
  fals: place("false", { e: END_VALUE }),
  n: place("null", { u: "nu" }),
  nu: place("null", { l: "nul" }),
  nul: place("null", { l: END_VALUE }),

  minus: place("a digit", { "0": "zero", "1-9": "integer" }),
  zero: numberPlace({ [DIGIT]: NO_LEADING_ZERO, ".": "point", eE: "exponent" }),
  integer: numberPlace({ [DIGIT]: "same", ".": "point", eE: "exponent" }),
  point: place("a digit", { [DIGIT]: "fraction" }),
  fraction: numberPlace({ [DIGIT]: "same", eE: "exponent" }),
  exponent: place("a digit or a sign", { [DIGIT]: "exponent-digits", "+\\-": "exponent-sign" }),
  "exponent-sign": place("a digit", { [DIGIT]: "exponent-digits" }),
  "exponent-digits": numberPlace({ [DIGIT]: "same" }),

  string: place("a closing double quote", {
    '"': END_STRING,
    "\\\\": "escape",
    "\x00-\x1f": ESCAPED_CONTROL,
    " !#-[\\]-\x7f": "same",
    // What may begin a character; four of these bound its second octet (RFC 3629 §4).
    "\xc2-\xdf": "last-of-2",
    "\xe1-\xec\xee\xef": "second-of-3",
    "\xe0": "second-after-e0",
    "\xed": "second-after-ed",
    "\xf1-\xf3": "second-of-4",
    "\xf0": "second-after-f0",
    "\xf4": "second-after-f4",
    "\x80-\xc1\xf5-\xff": VALID_UTF8,
  }),
  "last-of-2": characterPlace(1, { [TAIL]: END_CHARACTER }),
  "second-of-3": characterPlace(1, { [TAIL]: "last-of-3" }),
  "second-after-e0": characterPlace(1, { "\xa0-\xbf": "last-of-3" }),
  "second-after-ed": characterPlace(1, { "\x80-\x9f": "last-of-3" }),
  "last-of-3": characterPlace(2, { [TAIL]: END_CHARACTER }),
  "second-of-4": characterPlace(1, { [TAIL]: "third-of-4" }),
  "second-after-f0": characterPlace(1, { "\x90-\xbf": "third-of-4" }),
  "second-after-f4": characterPlace(1, { "\x80-\x8f": "third-of-4" }),
  "third-of-4": characterPlace(2, { [TAIL]: "last-of-4" }),
  "last-of-4": characterPlace(3, { [TAIL]: END_CHARACTER }),

  escape: place('one of " \\ / b f n r t u after the backslash', { '"\\\\/bfnrt': "string", u: "hex-1" }),
  // Any four: half of a surrogate pair is grammatical (RFC 8259 §8.2).
  "hex-1": place("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-2" }),
  "hex-2": place("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-3" }),
  "hex-3": place("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-4" }),
  "hex-4": place("four hexadecimal digits after \\u", { [HEX_DIGIT]: "string" }),
});

/** At `place | octet`: the next place, a step, or a refusal. */
export const NEXT: Uint16Array = table.next;
/** The numbers of the places. */
export const PLACE: Readonly<typeof table.places> = table.places;

/** What should have stood at `place` instead of the octet that led to `refusal`. */
export function expectedInstead(refusal: number): string {
  return table.refusals[refusal - FIRST_REFUSAL] ?? "";
}

/** What should follow at `place`. */
export function expectedNext(place: number): string {
  return table.rows[place / FIRST_PLACE - 1]?.expected ?? "";
}

/** How many octets of a character have been read at `place`. */
export function characterOctets(place: number): number {
  return table.rows[place / FIRST_PLACE - 1]?.characterOctets ?? 0;
}

interface Table<Name extends string> {
  readonly next: Uint16Array;
  readonly places: Readonly<Record<Name, number>>;
  readonly rows: readonly Row<Target>[];
  readonly refusals: readonly string[];
}

function buildTable<Name extends string>(
  named: Record<Name, Row<NoInfer<Name> | "same" | number | Refusal>>,
): Table<Name> {
  const names = Object.keys(named) as Name[];
  const rows = names.map((name) => named[name]);
  const numbers = names.map((name, index) => [name, (index + 1) * FIRST_PLACE] as const);
  const places = Object.fromEntries(numbers) as Record<Name, number>;
  const refusals: string[] = [];
  const next = new Uint16Array((rows.length + 1) * FIRST_PLACE);

  rows.forEach((row, index) => {
    const here = (index + 1) * FIRST_PLACE;
    next.fill(entryFor(row.otherwise, here), here, here + 256);
    for (const [octets, to] of Object.entries(row.moves)) {
      const pattern = new RegExp(`[${octets}]`);
      const entry = entryFor(to, here);
      for (let octet = 0; octet < 256; octet++) {
        if (pattern.test(String.fromCharCode(octet))) next[here | octet] = entry;
      }
    }
  });
  return { next, places, rows, refusals };

  function entryFor(to: Name | "same" | number | Refusal, here: number): number {
    if (typeof to === "number") return to;
    if (to === "same") return here;
    if (typeof to === "string") return places[to];
    if (!refusals.includes(to.expected)) refusals.push(to.expected);
    return FIRST_REFUSAL + refusals.indexOf(to.expected);
  }
}
