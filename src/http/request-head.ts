import type { Host } from "./host.ts";

/** The request line and the fields of one request: parsed, checked and immutable (RFC 9112 §2.1). */
export interface RequestHead {
  readonly method: Method;
  /** As it arrived, without its line end; the log escapes it. */
  readonly requestLine: string;
  /** As sent, still percent-encoded. Begins with `/`; the one exception is `*` (OPTIONS). */
  readonly path: string;
  /** What follows the first `?`, as sent; undefined without one. */
  readonly query: string | undefined;
  /** The authority of an absolute-form target, else the Host field; undefined only on HTTP/1.0 without Host. */
  readonly host: Host | undefined;
  /** HTTP/1.x with x above 1 is served as 1.1 (RFC 9110 §2.5). */
  readonly version: "1.0" | "1.1";
  readonly fields: RequestFields;
}

/** Names are in lower case; values are Latin-1 as they arrived, without the blanks around them (RFC 9110 §5). */
export interface RequestFields {
  readonly count: number;
  has(name: string): boolean;
  /** The value; several lines of one name are joined with ", " (RFC 9110 §5.3). Undefined when absent. */
  get(name: string): string | undefined;
  /** The value of each line of that name, in order of arrival. */
  all(name: string): readonly string[];
}

/** The methods of the standard (RFC 9110 §9), plus PATCH (RFC 5789). Any other token is unknown. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;
export type Method = (typeof METHODS)[number];

// A Map and not an object: `constructor` and `__proto__` are tokens a client may send.
const METHODS_BY_NAME: ReadonlyMap<string, Method> = new Map(METHODS.map((name) => [name, name]));

/** Compared with case (RFC 9110 §9.1); undefined for a method that we do not know. */
export function parseMethod(name: string): Method | undefined {
  return METHODS_BY_NAME.get(name);
}

export function isGetOrHead(method: Method): method is "GET" | "HEAD" {
  return method === "GET" || method === "HEAD";
}
