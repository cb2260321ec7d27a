import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes } from "../../src/base/units.ts";
import { formatTunnels, sumTunnels } from "../../src/primary/status.ts";
import type { TunnelCounts } from "../../src/tunnel/tunnels.ts";

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
