import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import { decideProcesses, settingsForWorker, shareOut } from "../../src/process/shares.ts";
import { loadText, settingsOf } from "../config/fake-disk.ts";

const processCounts: [
  name: string,
  setting: number | "auto",
  cores: number,
  workers: number,
  connections: number,
  want: number,
][] = [
  ["auto is one for each core", "auto", 4, 10, 1000, 4],
  ["auto is no more than there are threads", "auto", 64, 10, 1000, 10],
  ["auto is no more than connections are allowed", "auto", 4, 10, 1, 1],
  ["auto is no more than can be set", "auto", 512, 1024, 1000, 256],
  ["auto is one where the cores cannot be counted", "auto", 0, 10, 1000, 1],
  ["a number is taken as it is, whatever the cores", 3, 1, 10, 1000, 3],
];
for (const [name, setting, cores, workers, connections, want] of processCounts) {
  test(`decideProcesses: ${name}`, () => assert.equal(decideProcesses(setting, cores, workers, connections), want));
}

const shares: [name: string, total: number, want: number[]][] = [
  ["nothing", 0, [0, 0, 0]],
  ["less than one for each", 2, [1, 1, 0]],
  ["one for each", 3, [1, 1, 1]],
  ["the first get the rest", 11, [4, 4, 3]],
];
for (const [name, total, want] of shares) {
  test(`shareOut: ${name}`, () => {
    assert.deepEqual(
      want.map((_share, index) => shareOut(total, want.length, index)),
      want,
    );
  });
}

test("shareOut: the shares are the whole, differ by one at most, and none is empty where there is enough", () => {
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.integer({ min: 1, max: 256 }), (total, parts) => {
      const each = Array.from({ length: parts }, (_part, index) => shareOut(total, parts, index));
      assert.equal(
        each.reduce((sum, share) => sum + share, 0),
        total,
      );
      assert.ok(Math.max(...each) - Math.min(...each) <= 1);
      if (total >= parts) assert.ok(Math.min(...each) >= 1);
    }),
  );
});

function serversFor(text: string, count: number) {
  const settings = settingsOf(loadText(`[main]\n${text}`));
  return Array.from({ length: count }, (_worker, index) => settingsForWorker(settings, index, count).server);
}

test("settingsForWorker: each has its share of threads, waiting tasks, connections and memory", () => {
  const servers = serversFor("workers = 5\nqueue = 7\nmax-connections = 1001\ncache-size = 10\ncache-file = 5", 2);
  assert.deepEqual(
    servers.map(({ workers, queue, maxConnections, cacheSize, cacheFile }) => [
      workers,
      queue,
      maxConnections,
      cacheSize,
      cacheFile,
    ]),
    [
      [3, 4, 501, 5, 5],
      [2, 3, 500, 5, 5],
    ],
  );
});

test("settingsForWorker: no file is kept that is larger than the share of the memory", () => {
  const [first, last] = serversFor("cache-size = 3m\ncache-file = 2m", 2);
  assert.deepEqual([first?.cacheFile, last?.cacheFile], [bytes(1536 * 1024), bytes(1536 * 1024)]);
});

test("settingsForWorker: where nothing is kept, cache-file stays what it is", () => {
  const [first] = serversFor("cache-size = 0\ncache-file = 2m", 2);
  assert.deepEqual([first?.cacheSize, first?.cacheFile], [0, 2 * 1024 * 1024]);
});

test("settingsForWorker: what cannot be shared out stays whole, and so does everything else", () => {
  const settings = settingsOf(loadText("[main]\nconnections-per-client = 3\n[Virtual host a]\nupload-quota = 5"));
  const own = settingsForWorker(settings, 1, 4);
  assert.equal(own.server.connectionsPerClient, 3);
  const { workers, queue, maxConnections, cacheSize, cacheFile } = settings.server;
  assert.deepEqual(
    { ...own, server: { ...own.server, workers, queue, maxConnections, cacheSize, cacheFile } },
    { ...settings },
  );
});

test("settingsForWorker: the only worker has everything", () => {
  const settings = settingsOf(loadText(""));
  assert.deepEqual(settingsForWorker(settings, 0, 1), settings);
});
