/**
 * A request head made by hand, for tests of what comes after the parser.
 */

import { type Host, parseHost } from "../../src/http/host.ts";
import type { Method, RequestFields, RequestHead } from "../../src/http/request-head.ts";

export type FieldLine = readonly [name: string, value: string];

export interface FakeRequest {
  readonly method?: Method;
  readonly path?: string;
  readonly query?: string | undefined;
  /** As text, such as `example.com:8080`; `undefined`, written out, is a request without a host. */
  readonly host?: string | Host | undefined;
  readonly version?: "1.0" | "1.1";
  /** In order of arrival; a name may come more than once and in any case. */
  readonly fields?: readonly FieldLine[];
}

/** `GET / HTTP/1.1` for `localhost` without fields, but for what `request` says. No Host line is added to `fields`. */
export function fakeRequestHead(request: FakeRequest = {}): RequestHead {
  const { method = "GET", path = "/", query, version = "1.1", fields = [] } = request;
  const target = query === undefined ? path : `${path}?${query}`;
  return {
    method,
    requestLine: `${method} ${target} HTTP/${version}`,
    path,
    query,
    host: toHost("host" in request ? request.host : "localhost"),
    version,
    fields: fakeRequestFields(fields),
  };
}

export function fakeRequestFields(lines: readonly FieldLine[]): RequestFields {
  const all = (name: string) => lines.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
  const has = (name: string) => all(name).length > 0;
  return { count: lines.length, all, has, get: (name) => (has(name) ? all(name).join(", ") : undefined) };
}

function toHost(host: string | Host | undefined): Host | undefined {
  if (typeof host !== "string") return host;
  const parsed = parseHost(host);
  if (parsed === undefined) throw new Error(`not a host: ${host}`);
  return parsed;
}
