/**
 * Content-Disposition for a file that is to be saved and not shown (RFC 6266, RFC 8187).
 */

// Anything but printable ASCII, and what old clients read in a way of their own: quotes, escapes, paths, `%41`.
const NOT_PLAIN = /[^\x20-\x7e]|["%/\\]/gu;
/** What stands for itself in an extended value (attr-char, RFC 8187 §3.2.1). */
const ATTRIBUTE_CHARACTER = /[!#$&+\-.^_`|~0-9A-Za-z]/;

/**
 * `attachment; filename="report.txt"`. Where the name has characters that quotes cannot carry safely, those become
 * `_`, and `filename*` with the whole name in UTF-8 follows: a client that knows it prefers it (RFC 6266 §4.3).
 */
export function formatAttachment(name: string): string {
  const plain = name.replace(NOT_PLAIN, "_");
  if (plain === name) return `attachment; filename="${name}"`;
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeExtendedValue(name)}`;
}

function encodeExtendedValue(text: string): string {
  let encoded = "";
  for (const octet of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(octet);
    encoded += ATTRIBUTE_CHARACTER.test(character)
      ? character
      : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
