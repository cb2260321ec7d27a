import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import {
  describeTerminators,
  describeUnverified,
  formatTunnels,
  sumTunnels,
} from "../../src/primary/terminator-lines.ts";
import type { ServedEndpoint } from "../../src/transport/listen-socket.ts";
import type { TunnelCounts } from "../../src/tunnel/tunnels.ts";
import { loadText, settingsOf } from "../config/fake-disk.ts";

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
    "nobody verifies that app.test,443 is the backend: set backend-ca",
    "nobody verifies that unix:/run/x is the backend: set backend-ca",
  ]);
});

function counts(open: number, opened: number, unreached: number, fromClients: number, fromBackend: number) {
  return { open, opened, unreached, fromClients: bytes(fromClients), fromBackend: bytes(fromBackend) };
}

const sums: [
  name: string,
  all: Readonly<Record<string, TunnelCounts>>[],
  want: Readonly<Record<string, TunnelCounts>>,
][] = [
  ["no process", [], {}],
  ["a process without terminators", [{}], {}],
  ["one process", [{ a: counts(1, 2, 3, 4, 5) }], { a: counts(1, 2, 3, 4, 5) }],
  [
    "each count of each terminator",
    [
      { a: counts(1, 2, 3, 4, 5), b: counts(0, 0, 0, 0, 1) },
      { a: counts(10, 20, 30, 40, 50), b: counts(0, 1, 0, 0, 0) },
      { a: counts(0, 0, 0, 0, 0) },
    ],
    { a: counts(11, 22, 33, 44, 55), b: counts(0, 1, 0, 0, 1) },
  ],
  [
    "one that not all processes have",
    [{}, { a: counts(1, 1, 0, 0, 0) }, {}, { b: counts(0, 0, 7, 0, 0) }],
    { a: counts(1, 1, 0, 0, 0), b: counts(0, 0, 7, 0, 0) },
  ],
];
for (const [name, all, want] of sums) {
  test(`sumTunnels: ${name}`, () => {
    const maps = all.map((each) => new Map(Object.entries(each)));
    assert.deepEqual(sumTunnels(maps), new Map(Object.entries(want)));
  });
}

const words: [counts: TunnelCounts, want: string][] = [
  [
    counts(0, 0, 0, 0, 0),
    "TLS terminator shop: 0 connections, 0 so far, 0 times no backend, 0 B from clients, 0 B from the backend",
  ],
  [
    counts(1, 1, 1, 1, 1),
    "TLS terminator shop: 1 connection, 1 so far, 1 time no backend, 1 B from clients, 1 B from the backend",
  ],
  [
    counts(3, 120, 2, 1.2 * 2 ** 20, 80 * 2 ** 20),
    "TLS terminator shop: 3 connections, 120 so far, 2 times no backend, 1.2 MiB from clients, 80 MiB from the backend",
  ],
];
for (const [each, want] of words) {
  test(`formatTunnels: ${want}`, () => assert.equal(formatTunnels("shop", each), want));
}
