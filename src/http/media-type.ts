/** Media types (RFC 9110 §8.3): of a file, by its name and never by its content, and whether an upload is JSON. */
import { charset as knownCharset, lookup } from "mime-types";

const UNKNOWN_TYPE = "application/octet-stream";
const TEXT_SYNTAX = /[/+](?:json|xml)$/i;

/**
 * The Content-Type of a file: from `[MIME types]`, else usual for its extension, else `application/octet-stream`.
 * @param overrides  by extension, in lower case, without dot; a type with parameters is used unchanged
 * @param charset  added to text (`text/*`, JavaScript, JSON, XML, SVG, …); empty adds none
 */
export function mediaTypeOf(fileName: string, overrides: ReadonlyMap<string, string>, charset: string): string {
  const extension = extensionOf(fileName);
  const type = overrides.get(extension) ?? (lookup(extension) || UNKNOWN_TYPE);
  if (charset === "" || type.includes(";") || !isText(type)) return type;
  return `${type}; charset=${charset}`;
}

/** The text after the last dot, in lower case; empty without one, after a final one, and for names like `.htaccess`. */
export function extensionOf(fileName: string): string {
  const dot = fileName.lastIndexOf(".");
  return dot <= 0 ? "" : fileName.slice(dot + 1).toLowerCase();
}

function isText(type: string): boolean {
  return knownCharset(type) === "UTF-8" || TEXT_SYNTAX.test(type);
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"`;
const TYPE = new RegExp(`^(${TOKEN}/${TOKEN})(?=[ \\t]*(?:;|$))`);
/** A semicolon and its parameter, which may be missing (RFC 9110 §5.6.6). */
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?`, "gy");

/**
 * Whether a Content-Type is `application/json` or ends in `+json` (RFC 6839 §3.1). JSON is UTF-8 and defines no charset
 * (RFC 8259 §8.1, §11), but many clients send one: only UTF-8 is accepted. Other parameters are about the content, not
 * its syntax, and are allowed.
 * @param value  of the field, without blanks around it; a malformed one is not JSON
 */
export function isJsonMediaType(value: string): boolean {
  const [type = ""] = TYPE.exec(value) ?? [];
  if (!/^application\/json$|\+json$/i.test(type)) return false;

  const parameters = value.slice(type.length);
  let understood = 0;
  for (const [parameter, name = "", content = ""] of parameters.matchAll(PARAMETER)) {
    if (name.toLowerCase() === "charset" && !isUtf8(content)) return false;
    understood += parameter.length;
  }
  return understood === parameters.length;
}

/** @param content  a token or a quoted string; clients do not escape characters of this name */
function isUtf8(content: string): boolean {
  return /^(?:utf-8|"utf-8")$/i.test(content);
}
