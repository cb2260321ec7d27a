/**
 * The request target: which of its four forms it has, and the path, query and host in it (RFC 9112 §3.2).
 *
 * Nothing is decoded or repaired here. A fragment, a blank, a control byte and a byte over 0x7F are refused wherever
 * they stand; RFC 3986's other exclusions (`"`, `<`, `{`, `|` and the like) are let through, since browsers send them.
 */
import { type Host, parseHost } from "./host.ts";
import type { Method } from "./request-head.ts";

export type RequestTarget =
  | {
      readonly kind: "target";
      /** Still percent-encoded; begins with `/`, or is `*` (OPTIONS alone). */
      readonly path: string;
      /** What follows the first `?`; undefined without one, empty when nothing follows. */
      readonly query: string | undefined;
      /** The authority of an absolute-form target, which counts instead of Host (RFC 9112 §3.2.2). */
      readonly host: Host | undefined;
    }
  /** A well-formed authority-form target: what CONNECT asks for, and we never do. */
  | { readonly kind: "connect" }
  | { readonly kind: "reject" };

const REJECT: RequestTarget = { kind: "reject" };

// Visible ASCII without `#`.
const ALLOWED = /^[!"$-~]+$/;
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i;

/** @param target  as it stands in the request line, one character a byte */
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

/** RFC 9110 §9.3.6: the port is not optional. */
function isAuthorityForm(target: string): boolean {
  return parseHost(target)?.port !== undefined;
}

/** The path `*`: OPTIONS about the server and no resource of it (RFC 9112 §3.2.4). */
function serverItself(host: Host | undefined): RequestTarget {
  return { kind: "target", path: "*", query: undefined, host };
}

function splitAtQuery(pathAndQuery: string, host: Host | undefined): RequestTarget {
  const mark = pathAndQuery.indexOf("?");
  if (mark === -1) return { kind: "target", path: pathAndQuery, query: undefined, host };
  return { kind: "target", path: pathAndQuery.slice(0, mark), query: pathAndQuery.slice(mark + 1), host };
}
