/**
 * Fields that are lists of words, such as Connection and Transfer-Encoding (RFC 9110 §5.6.1, §5.6.2).
 *
 * Only for lists without quoted strings: a comma inside quotes would be taken for the end of a member.
 */
import { HTAB, SP, TOKEN_OCTETS } from "./octets.ts";

/** The members in order, in lower case, without the blanks and tabs around them. Empty members are kept. */
export function splitList(value: string): readonly string[] {
  return value.toLowerCase().split(",").map(trimBlanks);
}

export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (TOKEN_OCTETS[text.charCodeAt(at)] !== 1) return false;
  }
  return text !== "";
}

// No regular expression: one that looks for blanks before the end takes quadratic time where there are blanks within.
// Not trim() either: it takes away VT and NBSP, and so makes `chunked` of what is not.
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB;
}
