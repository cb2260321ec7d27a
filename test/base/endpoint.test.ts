import assert from "node:assert/strict";
import { test } from "node:test";
import { type Endpoint, formatEndpoint, formatPeer } from "../../src/base/endpoint.ts";

const tcp = (host: string, port: number): Endpoint => ({ kind: "tcp", host, port });

const formats: [endpoint: Endpoint, want: string][] = [
  [tcp("127.0.0.1", 8080), "127.0.0.1:8080"],
  [tcp("::1", 8080), "[::1]:8080"],
  [tcp("localhost", 0), "localhost:0"],
  [{ kind: "unix", path: "/run/x" }, "unix:/run/x"],
];
for (const [endpoint, want] of formats) {
  test(`formatEndpoint: ${want}`, () => assert.equal(formatEndpoint(endpoint), want));
}

const peers: [name: string, address: string, port: number, want: string][] = [
  ["IPv4", "192.0.2.7", 80, "192.0.2.7:80"],
  ["IPv6", "2001:db8::7", 80, "[2001:db8::7]:80"],
  ["a Unix socket has no port", "unix", 0, "unix"],
];
for (const [name, address, port, want] of peers) {
  test(`formatPeer: ${name}`, () => assert.equal(formatPeer({ address, port }), want));
}
