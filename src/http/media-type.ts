/**
 * Media types (RFC 9110 §8.3): the one of a file, by its name and never by its content, and whether an upload's is JSON.
 */
import { charset as knownCharset, lookup } from "mime-types";

const UNKNOWN_TYPE = "application/octet-stream";
const TEXT_SYNTAX = /[/+](?:json|xml)$/i;

/**
 * The value of Content-Type for a file of that name: what `[MIME types]` says, else what is generally known of its
 * extension, else `application/octet-stream`.
 *
 * @param overrides  by extension, in lower case and without its dot; a type that has parameters already is taken as it is
 * @param charset  added to text (`text/*`, JavaScript, JSON, XML, SVG, …); empty adds none
 */
export function mediaTypeOf(fileName: string, overrides: ReadonlyMap<string, string>, charset: string): string {
  const extension = extensionOf(fileName);
  const type = overrides.get(extension) ?? (lookup(extension) || UNKNOWN_TYPE);
  if (charset === "" || type.includes(";") || !isText(type)) return type;
  return `${type}; charset=${charset}`;
}

/** What follows the last dot, in lower case; empty without one, after a final one, and for a name such as `.htaccess`. */
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
/** A semicolon and the parameter after it, which may be missing (RFC 9110 §5.6.6). */
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?`, "gy");

/**
 * Whether a Content-Type says JSON: `application/json`, or any type whose name ends in `+json` (RFC 6839 §3.1).
 *
 * JSON is UTF-8 and has no parameter of that meaning (RFC 8259 §8.1, §11), but many send one: it may say UTF-8 and
 * nothing else. Other parameters say something of the content, not of its syntax, and are allowed.
 *
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

/** @param content  a token or a quoted string, in which no client escapes a character of this name */
function isUtf8(content: string): boolean {
  return /^(?:utf-8|"utf-8")$/i.test(content);
}
