/**
 * Media types: what a file's name says of its content (RFC 9110 §8.3). The content itself is never looked at.
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
