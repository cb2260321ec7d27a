/** The octets and words of a request head (RFC 9110 §5.5 to §5.6.2, RFC 3986), in tables: every byte is looked up. */
export const CR = 0x0d;
export const LF = 0x0a;
export const SP = 0x20;
export const HTAB = 0x09;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

function octetTable(isMember: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (isMember(octet) ? 1 : 0));
}

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";

/** 1 for tchar: the octets of a method or a field name. */
export const TOKEN_OCTETS = octetTable(
  (octet) => /[0-9A-Za-z]/.test(String.fromCharCode(octet)) || TOKEN_PUNCTUATION.includes(String.fromCharCode(octet)),
);

/** 1 for the octets of a field value: tab, blank, visible ASCII, and opaque octets above it. */
export const VALUE_OCTETS = octetTable((octet) => octet === HTAB || (octet >= SP && octet !== 0x7f));
/** 1 for visible ASCII: all that a request target may hold, before its form is checked. */
export const VISIBLE_OCTETS = octetTable((octet) => octet > SP && octet < 0x7f);

/**
 * The members of a list such as Connection, in lower case, without blanks and tabs around them; empty members are kept.
 * Not for lists with quoted strings: a comma inside quotes would end a member.
 */
export function splitList(value: string): readonly string[] {
  return value.toLowerCase().split(",").map(trimBlanks);
}

export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (TOKEN_OCTETS[text.charCodeAt(at)] !== 1) return false;
  }
  return text !== "";
}

// A regular expression for blanks before the end takes quadratic time when there are blanks within.
// trim() also removes VT and NBSP, and so makes `chunked` of what is not.
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Space and tab: OWS and BWS are made of these. */
export function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB;
}
