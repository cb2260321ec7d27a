import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Method } from "../../src/http/request-head.ts";
import { parseRequestTarget, type RequestTarget } from "../../src/http/request-target.ts";

const target = (path: string, query?: string, name?: string, port?: number): RequestTarget => ({
  kind: "target",
  path,
  query,
  host: name === undefined ? undefined : { name, port },
});
const connect: RequestTarget = { kind: "connect" };
const reject: RequestTarget = { kind: "reject" };

const cases: [name: string, method: Method, text: string, want: RequestTarget][] = [
  ["the root", "GET", "/", target("/")],
  ["a path stays encoded", "GET", "/a%20b/%2e%2e", target("/a%20b/%2e%2e")],
  ["a query", "GET", "/a?b=c", target("/a", "b=c")],
  ["an empty query", "GET", "/a?", target("/a", "")],
  ["a second question mark belongs to the query", "GET", "/a?b?c", target("/a", "b?c")],
  ["two slashes do not make an authority", "GET", "//evil.example/a", target("//evil.example/a")],
  ["a URL within a path", "GET", "/http://host/", target("/http://host/")],
  ["what browsers leave unencoded", "GET", `/"<>[]^\`{|}\\`, target(`/"<>[]^\`{|}\\`)],

  ["absolute-form", "GET", "http://host/a?b", target("/a", "b", "host")],
  ["absolute-form with port", "GET", "http://host:8080/a", target("/a", undefined, "host", 8080)],
  ["absolute-form with an empty port", "GET", "http://host:/a", target("/a", undefined, "host")],
  ["absolute-form, scheme and host in upper case", "GET", "HTTPS://HOST/A", target("/A", undefined, "host")],
  ["absolute-form with IPv6", "GET", "http://[::1]:80/", target("/", undefined, "[::1]", 80)],
  ["absolute-form without path", "GET", "http://host", target("/", undefined, "host")],
  ["absolute-form with a query and no path", "GET", "http://host?a/b", target("/", "a/b", "host")],
  ["absolute-form with @ in the path", "GET", "http://host/@", target("/@", undefined, "host")],
  ["absolute-form with OPTIONS", "OPTIONS", "http://host/", target("/", undefined, "host")],
  ["absolute-form without path is * with OPTIONS", "OPTIONS", "http://host:80", target("*", undefined, "host", 80)],
  ["absolute-form with OPTIONS and a query alone", "OPTIONS", "http://host?a", target("/", "a", "host")],
  ["absolute-form: empty host", "GET", "http:///a", reject],
  ["absolute-form: port without host", "GET", "http://:80/a", reject],
  ["absolute-form: userinfo", "GET", "http://user@host/", reject],
  ["absolute-form: userinfo with password", "GET", "http://user:secret@host/", reject],
  ["absolute-form: bad port", "GET", "http://host:80a/", reject],
  ["absolute-form: port too high", "GET", "http://host:65536/", reject],
  ["absolute-form: backslash in the authority", "GET", "http://host\\@evil/", reject],
  ["absolute-form: one slash", "GET", "http:/host/", reject],
  ["absolute-form: no slash", "GET", "http:host", reject],
  ["absolute-form: another scheme", "GET", "ftp://host/", reject],
  ["absolute-form: scheme with a prefix", "GET", "xhttp://host/", reject],

  ["* with OPTIONS", "OPTIONS", "*", target("*")],
  ["* with GET", "GET", "*", reject],
  ["* with TRACE", "TRACE", "*", reject],
  ["* with a query", "OPTIONS", "*?a", reject],
  ["two *", "OPTIONS", "**", reject],

  ["authority-form with CONNECT", "CONNECT", "host:443", connect],
  ["authority-form with IPv6", "CONNECT", "[::1]:443", connect],
  ["authority-form without port", "CONNECT", "host", reject],
  ["authority-form with an empty port", "CONNECT", "host:", reject],
  ["authority-form with userinfo", "CONNECT", "user@host:443", reject],
  ["CONNECT with origin-form", "CONNECT", "/", reject],
  ["CONNECT with absolute-form", "CONNECT", "http://host/", reject],
  ["authority-form with GET", "GET", "host:443", reject],

  ["nothing", "GET", "", reject],
  ["a query alone", "GET", "?a", reject],
  ["no leading slash", "GET", "index.html", reject],
  ["a dot in front", "GET", "./a", reject],
  ["a fragment", "GET", "/a#b", reject],
  ["a fragment in the query", "GET", "/a?b#c", reject],
  ["a blank", "GET", "/a b", reject],
  ["a tab", "GET", "/a\tb", reject],
  ["a line end behind", "GET", "/a\n", reject],
  ["CR", "GET", "/a\rb", reject],
  ["NUL", "GET", "/a\0", reject],
  ["DEL", "GET", "/a\x7f", reject],
  ["a byte over 0x7F", "GET", "/\u00e4", reject],
  ["the last Latin-1 byte", "GET", "/\u00ff", reject],
];
for (const [name, method, text, want] of cases) {
  test(`parseRequestTarget: ${name}`, () => assert.deepEqual(parseRequestTarget(method, text), want));
}

test("parseRequestTarget never throws, and an accepted target is path and query again", () => {
  const methods = fc.constantFrom<Method>("GET", "OPTIONS", "CONNECT");
  const starts = fc.constantFrom("", "/", "*", "http://", "https://h", "http://[::1]:");
  fc.assert(
    fc.property(methods, starts, fc.string({ unit: "binary-ascii" }), (method, start, rest) => {
      const parsed = parseRequestTarget(method, start + rest);
      if (parsed.kind !== "target") return;
      assert.ok(parsed.path === "*" || parsed.path.startsWith("/"));
      const written = parsed.query === undefined ? parsed.path : `${parsed.path}?${parsed.query}`;
      if (parsed.host === undefined) assert.equal(written, start + rest);
      else assert.ok((start + rest).endsWith(parsed.query ?? (parsed.path.length > 1 ? parsed.path : "")));
    }),
  );
});
