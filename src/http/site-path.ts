/**
 * The path of a request, decoded once and unable to climb (RFC 3986 §2.1, §5.2.4). A `..` segment is rejected in any
 * spelling, also where it would stay inside: what is never resolved cannot be resolved wrongly. An encoded slash or
 * backslash is rejected too, so a segment is exactly one name.
 */
export interface SitePath {
  /** Decoded names; none is empty, `.` or `..`, none holds a slash, a backslash or NUL. */
  readonly segments: readonly string[];
  /** The path ended in a slash (or was `/`). */
  readonly directory: boolean;
}

export type SitePathDecision =
  | { readonly kind: "path"; readonly path: SitePath }
  | { readonly kind: "refused"; readonly reason: "bad-path-encoding" | "bad-path-character" | "traversal" };

// NUL would end the name early in the system, the others are separators on other systems.
const FORBIDDEN = /%00|%2f|%5c|[\0\\]/i;
const NOT_ASCII = /[^\0-\x7f]/;
const WELL_KNOWN = ".well-known";

/**
 * Decodes a path and splits it. Of several faults it reports the encoding, else the forbidden character, else the
 * traversal, wherever they are.
 * @param path  from the request target: percent-encoded, beginning with `/`, without the query
 */
export function parseSitePath(path: string): SitePathDecision {
  const decoded = decodeOnce(path);
  if (decoded === undefined) return { kind: "refused", reason: "bad-path-encoding" };
  if (FORBIDDEN.test(path)) return { kind: "refused", reason: "bad-path-character" };

  const names = decoded.split("/");
  if (names.includes("..")) return { kind: "refused", reason: "traversal" };

  const segments = names.filter(isName);
  const directory = !isName(names.at(-1) ?? "");
  return { kind: "path", path: { segments, directory } };
}

/** The canonical form: it begins with one slash, and `parseSitePath` returns the same path again. */
export function formatSitePath(path: SitePath): string {
  if (path.segments.length === 0) return "/";
  return `/${path.segments.map(formatSegment).join("/")}${path.directory ? "/" : ""}`;
}

/**
 * A name as a path segment, which needs no escape in HTML. RFC 3986's unreserved characters and `! $ ( ) * + , = : @`
 * stay, the rest is percent-encoded. A relative reference needs `./` before it, as a name may hold a colon.
 * @param name  without half of a surrogate pair
 */
export function formatSegment(name: string): string {
  return encodeURIComponent(name)
    .replace(/%(?:24|2B|2C|3A|3D|40)/g, (encoded) => decodeURIComponent(encoded))
    .replaceAll("'", "%27");
}

/** Whether any name begins with a dot. `.well-known` at the root is not hidden (RFC 8615); names below it may be. */
export function isDotfilePath(path: SitePath): boolean {
  return path.segments.some((name, index) => name.startsWith(".") && !(index === 0 && name === WELL_KNOWN));
}

/** Undefined for a `%` without two hex digits, and for invalid UTF-8: overlong, cut, surrogates. */
function decodeOnce(path: string): string | undefined {
  if (NOT_ASCII.test(path)) return undefined;
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** An empty segment and `.` name nothing; at the end they mean a directory. */
function isName(segment: string): boolean {
  return segment !== "" && segment !== ".";
}
