/**
 * The request target: which of its four forms it has, and its path, query and host (RFC 9112 §3.2). Nothing is decoded
 * or repaired. A fragment, a blank, a control byte and a byte over 0x7F are rejected; RFC 3986's other exclusions (`"`,
 * `<`, `{`, `|` and the like) are accepted, since browsers send them.
 */
import { type Host, parseHost } from "./host.ts";
import type { Method } from "./request-head.ts";

export type RequestTarget =
  | {
      readonly kind: "target";
      /** Still percent-encoded; begins with `/`, or is `*` (OPTIONS alone). */
      readonly path: string;
      /** The text after the first `?`; undefined without one, perhaps empty. */
      readonly query: string | undefined;
      /** The authority of an absolute-form target, which replaces Host (RFC 9112 §3.2.2). */
      readonly host: Host | undefined;
    }
  /** A well-formed authority-form target: only CONNECT has it, which we never serve. */
  | { readonly kind: "connect" }
  | { readonly kind: "reject" };

const REJECT: RequestTarget = { kind: "reject" };
// Visible ASCII without `#`.
const ALLOWED = /^[!"$-~]+$/;
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i;

/** @param target  from the request line, one character per byte */
export function parseRequestTarget(method: Method, target: string): RequestTarget {
  if (!ALLOWED.test(target)) return REJECT;
  if (method === "CONNECT") return isAuthorityForm(target) ? { kind: "connect" } : REJECT;
  if (target === "*") return method === "OPTIONS" ? serverItself(undefined) : REJECT;
  if (target.startsWith("/")) return splitAtQuery(target, undefined);

  const [, authority = "", rest = ""] = ABSOLUTE_FORM.exec(target) ?? [];
  const host = parseHost(authority);
  if (host === undefined) return REJECT;
  if (rest === "" && method === "OPTIONS") return serverItself(host);
  return splitAtQuery(rest.startsWith("/") ? rest : `/${rest}`, host);
}

/** RFC 9110 §9.3.6: the port is required. */
function isAuthorityForm(target: string): boolean {
  return parseHost(target)?.port !== undefined;
}

/** The path `*`: OPTIONS about the server itself (RFC 9112 §3.2.4). */
function serverItself(host: Host | undefined): RequestTarget {
  return { kind: "target", path: "*", query: undefined, host };
}

function splitAtQuery(pathAndQuery: string, host: Host | undefined): RequestTarget {
  const mark = pathAndQuery.indexOf("?");
  if (mark === -1) return { kind: "target", path: pathAndQuery, query: undefined, host };
  return { kind: "target", path: pathAndQuery.slice(0, mark), query: pathAndQuery.slice(mark + 1), host };
}
