import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { seconds, unixMilliseconds } from "../../src/base/units.ts";
import type { IncomingRequest } from "../../src/http/exchange.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { type Gate, type GateOptions, makeGates, passGates, redirectToHttps } from "../../src/site/gates.ts";
import type { Resource } from "../../src/site/resource.ts";
import type { Site } from "../../src/site/site.ts";
import { type FakeRequest, fakeRequestHead } from "../support/request-head.ts";
import { siteRules } from "../support/site-rules.ts";

const root = new DocumentRoot({ path: absolutePath("/srv"), turn: { current: () => 0 }, descriptorPaths: "realpath" });
const main: Site = { name: "main", root, rules: siteRules({ hosts: ["a.test"], upload: "/up" }) };
const sites = { main, named: new Map(), directories: undefined, defaultHost: undefined };
const tls = { port: 443, redirects: true, hsts: seconds(0) };

type Peer = IncomingRequest["peer"];
const PLAIN: Peer = { address: "192.0.2.1", port: 1 };
const SECURE: Peer = { ...PLAIN, tls: { version: "TLSv1.3", cipher: "x" } as NonNullable<Peer["tls"]> };
const UNIX: Peer = { address: "unix", port: 0 };

function requestOf(request: FakeRequest, peer: Peer): IncomingRequest {
  return {
    head: fakeRequestHead(request),
    peer,
    body: undefined,
    receivedAt: unixMilliseconds(0),
    gone: new AbortController().signal,
    note: () => undefined,
  };
}

/** How far a request gets, in a line: a site, or the answer and the site whose error page it has. */
function passage(request: FakeRequest, peer: Peer, options: Partial<GateOptions> = {}): string {
  const passed = passGates(makeGates({ sites, tls, ...options }), requestOf(request, peer));
  if (passed.kind === "site") return passed.site.name;
  const { resource, site } = passed;
  const answer = resource.kind === "refused" ? `${resource.status} ${resource.reason}` : resource.kind;
  return `${answer}, ${site?.name ?? "no site"}`;
}

const METHOD = "405 method-not-allowed, main";
const passages: [name: string, request: FakeRequest, peer: Peer, want: string][] = [
  ["a GET over TLS", { host: "a.test" }, SECURE, "main"],
  ["HEAD and OPTIONS everywhere", { host: "a.test", method: "OPTIONS", path: "/x" }, SECURE, "main"],
  ["POST where uploads are taken", { host: "a.test", method: "POST", path: "/up" }, SECURE, "main"],
  ["POST elsewhere", { host: "a.test", method: "POST", path: "/x" }, SECURE, METHOD],
  ["another method where uploads are taken", { host: "a.test", method: "PUT", path: "/up" }, SECURE, METHOD],
  ["without TLS", { host: "a.test" }, PLAIN, "redirect, no site"],
  ["on a Unix socket", { host: "a.test" }, UNIX, "main"],
  ["the redirect comes before the host", { host: "b.test" }, PLAIN, "redirect, no site"],
  ["and before the method", { host: "a.test", method: "PUT" }, PLAIN, "redirect, no site"],
  ["the host comes before the method", { host: "b.test", method: "PUT" }, SECURE, "403 host-unknown, no site"],
];
for (const [name, request, peer, want] of passages) {
  test(`passGates: ${name}`, () => assert.equal(passage(request, peer), want));
}

test("passGates: nothing is redirected unless the settings say so", () => {
  assert.equal(passage({ host: "a.test" }, PLAIN, { tls: { ...tls, redirects: false } }), "main");
  assert.equal(passage({ host: "a.test" }, PLAIN, { tls: undefined }), "main");
});

const allowed: [path: string, want: string][] = [
  ["/up", "GET, HEAD, POST, OPTIONS"],
  ["/x", "GET, HEAD, OPTIONS"],
];
for (const [path, want] of allowed) {
  test(`passGates: 405 says what is allowed at ${path}`, () => {
    const passed = passGates(makeGates({ sites }), requestOf({ host: "a.test", method: "DELETE", path }, PLAIN));
    assert.ok(passed.kind === "stopped" && passed.resource.kind === "refused");
    assert.deepEqual(passed.resource.fields, [{ name: "Allow", value: want }]);
  });
}

test("passGates: a refused host is reported, a refused method is not", () => {
  const gates = makeGates({ sites });
  const host = passGates(gates, requestOf({ host: "b.test" }, PLAIN));
  assert.equal(host.kind === "stopped" && host.report, "not one of hosts: b.test from 192.0.2.1");
  const method = passGates(gates, requestOf({ host: "a.test", method: "PUT" }, PLAIN));
  assert.equal(method.kind === "stopped" && method.report, undefined);
});

test("passGates: behind a gate that stops none is asked, and one behind the host knows the site", () => {
  const seen: (Site | undefined)[] = [];
  const look: Gate = (_, site) => {
    seen.push(site);
    return { kind: "pass" };
  };
  const gates = [look, ...makeGates({ sites }), look];
  passGates(gates, requestOf({ host: "a.test" }, PLAIN));
  passGates(gates, requestOf({ host: "b.test" }, PLAIN));
  assert.deepEqual(seen, [undefined, main, undefined]);
});

test("passGates: gates that choose no site are our own fault", () => {
  assert.throws(() => passGates([], requestOf({}, PLAIN)), /no gate has chosen a site/);
});

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
  test(`redirectToHttps: ${name}`, () => {
    assert.deepEqual(redirectToHttps(fakeRequestHead(request), { port }), want);
  });
}
