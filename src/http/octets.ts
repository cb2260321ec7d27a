/**
 * Which octets may stand where in a request head (RFC 9110 §5.5 and §5.6.2, RFC 3986): tables, because the parser
 * asks for every byte.
 */
export const CR = 0x0d;
export const LF = 0x0a;
export const SP = 0x20;
export const HTAB = 0x09;
export const COLON = 0x3a;

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

/** 1 for visible ASCII: all that may stand in a request target, before its form is looked at. */
export const VISIBLE_OCTETS = octetTable((octet) => octet > SP && octet < 0x7f);
