/**
 * Whether a Content-Type says JSON: `application/json`, or any type whose name ends in `+json` (RFC 6839 §3.1).
 *
 * JSON is UTF-8 and has no parameter of that meaning (RFC 8259 §8.1, §11), but many send one: it may say UTF-8 and
 * nothing else. Other parameters say something of the content, not of its syntax, and are allowed.
 */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"`;
const TYPE = new RegExp(`^(${TOKEN}/${TOKEN})(?=[ \\t]*(?:;|$))`);
/** A semicolon and the parameter after it, which may be missing (RFC 9110 §5.6.6). */
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?`, "gy");

/** @param value  of the field, without blanks around it; a malformed one is not JSON */
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

/** @param content  a token or a quoted string; nobody escapes a character of either name */
function isUtf8(content: string): boolean {
  return /^(?:utf-8|"utf-8")$/i.test(content);
}
