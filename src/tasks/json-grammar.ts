/**
 * The grammar of a JSON text (RFC 8259) as a table: in each state, where each octet leads. A state has words for what
 * should follow. What follows a value depends on what encloses it, so some octets lead to a step of `JsonSyntax`.
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
/** From here up to `FIRST_STATE`: the octet is rejected. */
const FIRST_REFUSAL = 16;
/** From here on a number is a state: that of its row, times 256. */
export const FIRST_STATE = 256;

/** What would be right, where the words of the state are not exact enough. */
interface Refusal {
  readonly expected: string;
}

/** The name of a state, `same` for the present one, a step, or why the octet is rejected. */
type Target = string | number | Refusal;

/** Keys are the inside of a character class; those of one state share no octet. */
type Moves<To> = Readonly<Record<string, To>>;

interface Row<To> {
  readonly expected: string;
  readonly moves: Moves<To>;
  /** For every other octet. */
  readonly otherwise: typeof END_NUMBER | Refusal;
  /** How many octets of a character have been read. */
  readonly characterOctets: number;
}

function state<const To extends Target>(expected: string, moves: Moves<To>): Row<To> {
  return { expected, moves, otherwise: { expected }, characterOctets: 0 };
}

/** Where a number may end. */
function numberState<const To extends Target>(moves: Moves<To>): Row<To> {
  return { ...state("what follows a value", moves), otherwise: END_NUMBER };
}

/** Within a character of several octets. */
function characterState<const To extends Target>(
  octetsRead: number,
  moves: Moves<To>,
  expected = VALID_UTF8.expected,
): Row<To> {
  return { ...state(expected, moves), characterOctets: octetsRead };
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
  start: state("a value", { ...VALUE, "\xef": "mark-2" }),
  // A byte order mark is EF BB BF. No other character that begins with EF is a value either.
  "mark-2": characterState(1, { "\xbb": "mark-3" }, "a value"),
  "mark-3": characterState(2, { "\xbf": VALUE_WITHOUT_MARK }, "a value"),

  value: state("a value", VALUE),
  "first-element": state("a value or ]", { ...VALUE, "\\]": CLOSE }),
  "after-element": state("a comma or ]", { ...BLANKS, ",": "value", "\\]": CLOSE }),
  "first-key": state("a key in double quotes or }", { ...BLANKS, '"': BEGIN_KEY, "}": CLOSE }),
  "next-key": state("a key in double quotes", { ...BLANKS, '"': BEGIN_KEY }),
  "after-key": state("a colon", { ...BLANKS, ":": "value" }),
  "after-member": state("a comma or }", { ...BLANKS, ",": "next-key", "}": CLOSE }),
  "after-text": state("nothing after the value", BLANKS),

  t: state("true", { r: "tr" }),
  tr: state("true", { u: "tru" }),
  tru: state("true", { e: END_VALUE }),
  f: state("false", { a: "fa" }),
  fa: state("false", { l: "fal" }),
  fal: state("false", { s: "fals" }),
  fals: state("false", { e: END_VALUE }),
  n: state("null", { u: "nu" }),
  nu: state("null", { l: "nul" }),
  nul: state("null", { l: END_VALUE }),

  minus: state("a digit", { "0": "zero", "1-9": "integer" }),
  zero: numberState({ [DIGIT]: NO_LEADING_ZERO, ".": "point", eE: "exponent" }),
  integer: numberState({ [DIGIT]: "same", ".": "point", eE: "exponent" }),
  point: state("a digit", { [DIGIT]: "fraction" }),
  fraction: numberState({ [DIGIT]: "same", eE: "exponent" }),
  exponent: state("a digit or a sign", { [DIGIT]: "exponent-digits", "+\\-": "exponent-sign" }),
  "exponent-sign": state("a digit", { [DIGIT]: "exponent-digits" }),
  "exponent-digits": numberState({ [DIGIT]: "same" }),

  string: state("a closing double quote", {
    '"': END_STRING,
    "\\\\": "escape",
    "\x00-\x1f": ESCAPED_CONTROL,
    " !#-[\\]-\x7f": "same",
    // First octets of a character; four of these limit its second octet (RFC 3629 §4).
    "\xc2-\xdf": "last-of-2",
    "\xe1-\xec\xee\xef": "second-of-3",
    "\xe0": "second-after-e0",
    "\xed": "second-after-ed",
    "\xf1-\xf3": "second-of-4",
    "\xf0": "second-after-f0",
    "\xf4": "second-after-f4",
    "\x80-\xc1\xf5-\xff": VALID_UTF8,
  }),
  "last-of-2": characterState(1, { [TAIL]: END_CHARACTER }),
  "second-of-3": characterState(1, { [TAIL]: "last-of-3" }),
  "second-after-e0": characterState(1, { "\xa0-\xbf": "last-of-3" }),
  "second-after-ed": characterState(1, { "\x80-\x9f": "last-of-3" }),
  "last-of-3": characterState(2, { [TAIL]: END_CHARACTER }),
  "second-of-4": characterState(1, { [TAIL]: "third-of-4" }),
  "second-after-f0": characterState(1, { "\x90-\xbf": "third-of-4" }),
  "second-after-f4": characterState(1, { "\x80-\x8f": "third-of-4" }),
  "third-of-4": characterState(2, { [TAIL]: "last-of-4" }),
  "last-of-4": characterState(3, { [TAIL]: END_CHARACTER }),

  escape: state('one of " \\ / b f n r t u after the backslash', { '"\\\\/bfnrt': "string", u: "hex-1" }),
  // Any four: half of a surrogate pair is grammatical (RFC 8259 §8.2).
  "hex-1": state("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-2" }),
  "hex-2": state("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-3" }),
  "hex-3": state("four hexadecimal digits after \\u", { [HEX_DIGIT]: "hex-4" }),
  "hex-4": state("four hexadecimal digits after \\u", { [HEX_DIGIT]: "string" }),
});

/** At `state | octet`: the next state, a step, or a refusal. */
export const NEXT: Uint16Array = table.next;
/** The numbers of the states. */
export const STATE: Readonly<typeof table.states> = table.states;

/** What should have been at `state` instead of the octet that led to `refusal`. */
export function expectedInstead(refusal: number): string {
  return table.refusals[refusal - FIRST_REFUSAL] ?? "";
}

export function expectedNext(state: number): string {
  return table.rows[state / FIRST_STATE - 1]?.expected ?? "";
}

export function characterOctets(state: number): number {
  return table.rows[state / FIRST_STATE - 1]?.characterOctets ?? 0;
}

interface Table<Name extends string> {
  readonly next: Uint16Array;
  readonly states: Readonly<Record<Name, number>>;
  readonly rows: readonly Row<Target>[];
  readonly refusals: readonly string[];
}

function buildTable<Name extends string>(
  named: Record<Name, Row<NoInfer<Name> | "same" | number | Refusal>>,
): Table<Name> {
  const names = Object.keys(named) as Name[];
  const rows = names.map((name) => named[name]);
  const numbers = names.map((name, index) => [name, (index + 1) * FIRST_STATE] as const);
  const states = Object.fromEntries(numbers) as Record<Name, number>;
  const refusals: string[] = [];
  const next = new Uint16Array((rows.length + 1) * FIRST_STATE);

  rows.forEach((row, index) => {
    const here = (index + 1) * FIRST_STATE;
    next.fill(entryFor(row.otherwise, here), here, here + 256);
    for (const [octets, to] of Object.entries(row.moves)) {
      const pattern = new RegExp(`[${octets}]`);
      const entry = entryFor(to, here);
      for (let octet = 0; octet < 256; octet++) {
        if (pattern.test(String.fromCharCode(octet))) next[here | octet] = entry;
      }
    }
  });
  return { next, states, rows, refusals };

  function entryFor(to: Name | "same" | number | Refusal, here: number): number {
    if (typeof to === "number") return to;
    if (to === "same") return here;
    if (typeof to === "string") return states[to];
    if (!refusals.includes(to.expected)) refusals.push(to.expected);
    return FIRST_REFUSAL + refusals.indexOf(to.expected);
  }
}
