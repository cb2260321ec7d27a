import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../src/base/units.ts";
import type { Resource } from "../../src/site/resource.ts";
import { hstsField, redirectToTls } from "../../src/site/tls-presence.ts";
import { type FakeRequest, fakeRequestHead } from "../support/request-head.ts";

const to = (location: string): Resource => ({ kind: "redirect", location });

const cases: [name: string, request: FakeRequest, port: number, want: Resource][] = [
  ["a path", { host: "a.test", path: "/b/c" }, 8443, to("https://a.test:8443/b/c")],
  ["port 443 is not said", { host: "a.test" }, 443, to("https://a.test/")],
  ["the port of the request is not taken over", { host: "a.test:8080" }, 443, to("https://a.test/")],
  ["nor before another", { host: "a.test:8080" }, 8443, to("https://a.test:8443/")],
  ["an IPv6 address", { host: "[::1]:80" }, 8443, to("https://[::1]:8443/")],
  ["an IPv4 address", { host: "127.0.0.1" }, 443, to("https://127.0.0.1/")],
  ["a query as it was sent", { host: "a.test", query: "x=%20&y=/?" }, 443, to("https://a.test/?x=%20&y=/?")],
  ["an empty query", { host: "a.test", query: "" }, 443, to("https://a.test/?")],
  ["a path as it was sent", { host: "a.test", path: "/%C3%A4%2f..//b" }, 443, to("https://a.test/%C3%A4%2f..//b")],
  ["a path like an authority", { host: "a.test", path: "//b.test/" }, 443, to("https://a.test//b.test/")],
  ["the whole server (OPTIONS *)", { host: "a.test", method: "OPTIONS", path: "*" }, 443, to("https://a.test/")],
  ["a method that changes something", { host: "a.test", method: "PUT", path: "/x" }, 443, to("https://a.test/x")],
  ["no host", { host: undefined, version: "1.0" }, 443, { kind: "refused", status: 400, reason: "bad-host" }],
];
for (const [name, request, port, want] of cases) {
  test(`redirectToTls: ${name}`, () => {
    const presence = { port, redirects: true, hsts: seconds(0) };
    assert.deepEqual(redirectToTls(fakeRequestHead(request), presence), want);
  });
}

const ages: [age: number, want: string][] = [
  [1, "max-age=1"],
  [31_536_000, "max-age=31536000"],
  [0, "max-age=0"],
];
for (const [age, value] of ages) {
  test(`hstsField: ${age} seconds`, () => {
    const presence = { port: 443, redirects: true, hsts: seconds(age) };
    assert.deepEqual(hstsField(presence), { name: "Strict-Transport-Security", value });
  });
}
