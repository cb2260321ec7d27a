/**
 * Escapes foreign text in a log, so that no client can forge a line or control a terminal.
 *
 * The escapes are Apache's: `\"` `\\` `\b` `\n` `\r` `\t` `\v`, and `\xhh` for every other byte that is not printable
 * ASCII. Text from the wire is Latin-1, one character a byte. A character beyond Latin-1 is written as its UTF-8 bytes.
 */
const NEEDS_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const ALL_TO_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/gu;
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\b", "\\b"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** The text in printable ASCII, safe between double quotes. */
export function escapeText(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return text;
  return text.replace(ALL_TO_ESCAPE, escapeCharacter);
}

// C0 except line feed, DEL, C1 (0x9b begins a control sequence, as ESC [ does), and the marks that reverse direction.
const UNSAFE_FOR_TERMINAL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** A message of ours, made harmless to a terminal. Letters of all languages, quotes and line feeds stay. */
export function disarmControls(text: string): string {
  return text.replace(UNSAFE_FOR_TERMINAL, escapeCharacter);
}

const BEYOND_ASCII = /[\x7f-\uffff]/g;

/** The text as a JSON string in printable ASCII. JSON.stringify alone leaves DEL and C1, which control terminals. */
export function formatJsonString(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined) return short;
  if (character <= "\xff") return hexEscape(character.charCodeAt(0));
  return Array.from(new TextEncoder().encode(character), hexEscape).join("");
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
