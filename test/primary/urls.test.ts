import assert from "node:assert/strict";
import { test } from "node:test";
import { type Interfaces, urlsFor } from "../../src/primary/urls.ts";
import type { Purpose, ServedEndpoint } from "../../src/transport/listen-socket.ts";

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
