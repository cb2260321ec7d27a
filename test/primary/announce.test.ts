import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTerminators, describeUnverified, type Interfaces, urlsFor } from "../../src/primary/announce.ts";
import type { Purpose, ServedEndpoint } from "../../src/transport/endpoint.ts";
import { loadText, settingsOf } from "../config/fake-disk.ts";

function ip(family: "IPv4" | "IPv6", address: string, internal = false) {
  const common = { address, netmask: "", mac: "", internal, cidr: null };
  return family === "IPv4" ? { ...common, family } : { ...common, family, scopeid: 0 };
}

const machine: Interfaces = {
  lo: [ip("IPv4", "127.0.0.1", true), ip("IPv6", "::1", true)],
  eth0: [ip("IPv4", "192.0.2.7"), ip("IPv6", "2001:db8::7"), ip("IPv6", "fe80::1")],
  wlan0: [ip("IPv4", "198.51.100.3")],
  gone: undefined,
};

function tcp(host: string, port = 8080, purpose: Purpose = { kind: "http" }): ServedEndpoint {
  return { endpoint: { kind: "tcp", host, port }, purpose };
}

const tls = (host: string, port = 8443): ServedEndpoint => tcp(host, port, { kind: "https" });

const terminator = tcp("127.0.0.1", 8443, { kind: "terminator", name: "shop" });

const cases: [name: string, served: readonly ServedEndpoint[], want: string[]][] = [
  ["one address", [tcp("127.0.0.1")], ["http://127.0.0.1:8080/"]],
  ["port 80 is not said", [tcp("127.0.0.1", 80)], ["http://127.0.0.1/"]],
  ["an IPv6 address in brackets", [tcp("::1")], ["http://[::1]:8080/"]],
  ["an IPv6 address and port 80", [tcp("::1", 80)], ["http://[::1]/"]],
  ["a name", [tcp("localhost")], ["http://localhost:8080/"]],
  ["a Unix socket", [{ endpoint: { kind: "unix", path: "/run/x" }, purpose: { kind: "http" } }], ["unix:/run/x"]],
  [
    "every IPv4 address",
    [tcp("0.0.0.0")],
    ["http://127.0.0.1:8080/", "http://192.0.2.7:8080/", "http://198.51.100.3:8080/"],
  ],
  ["every IPv6 address that a URL can carry", [tcp("::")], ["http://[::1]:8080/", "http://[2001:db8::7]:8080/"]],
  [
    "several, each once",
    [tcp("0.0.0.0"), tcp("127.0.0.1"), tcp("192.0.2.7", 81)],
    ["http://127.0.0.1:8080/", "http://192.0.2.7:8080/", "http://198.51.100.3:8080/", "http://192.0.2.7:81/"],
  ],
  ["TLS", [tls("127.0.0.1")], ["https://127.0.0.1:8443/"]],
  ["port 443 is not said with TLS", [tls("127.0.0.1", 443)], ["https://127.0.0.1/"]],
  ["but without it", [tcp("127.0.0.1", 443)], ["http://127.0.0.1:443/"]],
  ["port 80 is said with TLS", [tls("127.0.0.1", 80)], ["https://127.0.0.1:80/"]],
  ["an IPv6 address with TLS", [tls("::1")], ["https://[::1]:8443/"]],
  ["one address without TLS and with it", [tcp("::1"), tls("::1")], ["http://[::1]:8080/", "https://[::1]:8443/"]],
  [
    "every IPv4 address with TLS",
    [tls("0.0.0.0")],
    ["https://127.0.0.1:8443/", "https://192.0.2.7:8443/", "https://198.51.100.3:8443/"],
  ],
  ["a terminator is no site", [terminator, tcp("::1")], ["http://[::1]:8080/"]],
  ["nothing", [], []],
];
for (const [name, served, want] of cases) {
  test(`urlsFor: ${name}`, () => assert.deepEqual(urlsFor(served, machine), want));
}

// ---- terminators

const terminatorsIn = (text: string) => settingsOf(loadText(text)).terminators;

const at = (name: string, host: string, port: number): ServedEndpoint => ({
  endpoint: { kind: "tcp", host, port },
  purpose: { kind: "terminator", name },
});

const HTTPS: ServedEndpoint = { endpoint: { kind: "tcp", host: "0.0.0.0", port: 443 }, purpose: { kind: "https" } };

const lines: [name: string, text: string, served: readonly ServedEndpoint[], want: readonly string[]][] = [
  ["none", "", [HTTPS], []],
  [
    "one, whose port was chosen by the system",
    "[TLS terminator a]\npem = p\nfrontend = 127.0.0.1,0\nbackend = 127.0.0.1,8000",
    [HTTPS, at("a", "127.0.0.1", 38_443)],
    ["ends TLS at 127.0.0.1:38443 for 127.0.0.1,8000"],
  ],
  [
    "every address, and a backend with a path",
    "[TLS terminator a]\npem = p\nbackend = unix:/run/app",
    [at("a", "0.0.0.0", 8443), at("a", "::", 8443)],
    ["ends TLS at 0.0.0.0:8443 [::]:8443 for unix:/run/app"],
  ],
  [
    "several, each with its own sockets",
    "[TLS terminator b]\npem = p\nfrontend = *,1\nbackend = app.test,80\n[TLS terminator A]\nclient = yes\nbackend = [::1]:443",
    [at("a", "127.0.0.1", 2), at("b", "127.0.0.1", 1)],
    ["ends TLS at 127.0.0.1:1 for app.test,80", "starts TLS at 127.0.0.1:2 for ::1,443"],
  ],
];
for (const [name, text, served, want] of lines) {
  test(`describeTerminators: ${name}`, () => assert.deepEqual(describeTerminators(terminatorsIn(text), served), want));
}

test("describeUnverified: a backend that speaks TLS, and nobody knows whose it is", () => {
  const terminators = terminatorsIn(
    [
      "[TLS terminator plain]\npem = p\nfrontend = *,1",
      "[TLS terminator verified]\nclient = yes\nbackend-ca = ca\nfrontend = *,2",
      "[TLS terminator a]\nclient = yes\nbackend = app.test,443\nfrontend = *,3",
      "[TLS terminator b]\nclient = yes\nbackend = unix:/run/x\nfrontend = *,4",
    ].join("\n"),
  );
  assert.deepEqual(describeUnverified(terminators), [
    "the certificate of backend app.test,443 is not verified: set backend-ca",
    "the certificate of backend unix:/run/x is not verified: set backend-ca",
  ]);
});
