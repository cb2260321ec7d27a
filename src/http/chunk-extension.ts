/**
 * The extensions of one chunk, octet by octet, up to the CR that ends their line (RFC 9112 §7.1.1):
 *
 *     *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
 *
 * Blanks (BWS) are read where the grammar has them, but not before the first semicolon: the decoder rejects a blank
 * after the size. What an extension means is not looked at: we know none.
 */
import { CR, isBlank, SEMICOLON, TOKEN_OCTETS, VALUE_OCTETS } from "./field-syntax.ts";

/** What came last. */
export type ExtensionPlace =
  | "semicolon"
  | "name"
  | "blank-after-name"
  | "equals"
  | "token"
  | "quoted"
  | "backslash"
  | "closing-quote"
  | "blank-after-value";

/** `end`: the CR was read; `malformed`: the grammar has no such octet here. */
export type ExtensionStep = ExtensionPlace | "end" | "malformed";

const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The place after one more octet. The first is `semicolon`. */
export function readExtensionOctet(place: ExtensionPlace, octet: number): ExtensionStep {
  switch (place) {
    case "semicolon":
      if (isBlank(octet)) return "semicolon";
      return isTokenOctet(octet) ? "name" : "malformed";
    case "name":
      if (isTokenOctet(octet)) return "name";
      if (octet === CR) return "end";
      return isBlank(octet) ? "blank-after-name" : afterName(octet);
    case "blank-after-name":
      return isBlank(octet) ? "blank-after-name" : afterName(octet);
    case "equals":
      if (isBlank(octet)) return "equals";
      if (octet === QUOTE) return "quoted";
      return isTokenOctet(octet) ? "token" : "malformed";
    case "token":
      return isTokenOctet(octet) ? "token" : afterValue(octet);
    case "quoted":
      if (octet === QUOTE) return "closing-quote";
      if (octet === BACKSLASH) return "backslash";
      return isTextOctet(octet) ? "quoted" : "malformed";
    case "backslash":
      return isTextOctet(octet) ? "quoted" : "malformed";
    case "closing-quote":
      return afterValue(octet);
    case "blank-after-value":
      if (isBlank(octet)) return "blank-after-value";
      return octet === SEMICOLON ? "semicolon" : "malformed";
  }
}

function afterName(octet: number): ExtensionStep {
  if (octet === EQUALS) return "equals";
  return octet === SEMICOLON ? "semicolon" : "malformed";
}

function afterValue(octet: number): ExtensionStep {
  if (octet === CR) return "end";
  if (octet === SEMICOLON) return "semicolon";
  return isBlank(octet) ? "blank-after-value" : "malformed";
}

function isTokenOctet(octet: number): boolean {
  return TOKEN_OCTETS[octet] === 1;
}

function isTextOctet(octet: number): boolean {
  return VALUE_OCTETS[octet] === 1;
}
