/**
 * Request methods (RFC 9110 §9): those of the standard, plus PATCH (RFC 5789). Any other token is unknown.
 */
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH";

// A Map and not an object: `constructor` and `__proto__` are tokens a client may send.
const METHODS: ReadonlyMap<string, Method> = new Map(
  (["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const).map((name) => [
    name,
    name,
  ]),
);

/** The method of that name, compared with case (RFC 9110 §9.1), or undefined when we do not know it. */
export function parseMethod(name: string): Method | undefined {
  return METHODS.get(name);
}

export function isGetOrHead(method: Method): method is "GET" | "HEAD" {
  return method === "GET" || method === "HEAD";
}
