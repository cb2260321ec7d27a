import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes } from "../../src/base/units.ts";
import {
  connectionsWanted,
  decideProcesses,
  settingsForWorker,
  shareOut,
  withFewerConnections,
} from "../../src/config/limits-per-worker.ts";
import { type Settings, servesSites } from "../../src/config/settings.ts";
import { loadText, settingsOf } from "./fake-disk.ts";

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
  assert.deepEqual([first?.cacheFile, last?.cacheFile], [bytes(2048 * 1024), bytes(2048 * 1024)]);
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

// ---- connections of sites and of terminators

interface Limits {
  /** Undefined: there is no site. */
  readonly site: number | undefined;
  readonly terminators: readonly number[];
}

function settingsWith({ site, terminators }: Limits): Settings {
  const sections = terminators.map(
    (most, index) => `[TLS terminator t${index}]\npem = p\nfrontend = *,${index + 1}\nmax-connections = ${most}\n`,
  );
  const main = site === undefined ? "address = no" : `max-connections = ${site}`;
  return settingsOf(loadText(`[main]\n${main}\n${sections.join("")}`));
}

function limitsOf(settings: Settings): Limits {
  return {
    site: servesSites(settings) ? settings.server.maxConnections : undefined,
    terminators: [...settings.terminators.values()].map(({ maxConnections }) => maxConnections),
  };
}

const eachOf = ({ site, terminators }: Limits): readonly number[] =>
  site === undefined ? terminators : [site, ...terminators];

const wishes: [name: string, limits: Limits, want: number][] = [
  ["sites alone", { site: 7, terminators: [] }, 7],
  ["a terminator alone", { site: undefined, terminators: [5] }, 5],
  ["both", { site: 7, terminators: [5, 3] }, 15],
];
for (const [name, limits, want] of wishes) {
  test(`connectionsWanted: ${name}`, () => assert.equal(connectionsWanted(settingsWith(limits)), want));
}

const fewer: [name: string, limits: Limits, most: number, want: Limits][] = [
  ["as many as there may be", { site: 7, terminators: [5] }, 12, { site: 7, terminators: [5] }],
  ["sites alone", { site: 100, terminators: [] }, 60, { site: 60, terminators: [] }],
  ["a terminator alone", { site: undefined, terminators: [100] }, 60, { site: undefined, terminators: [60] }],
  ["half of each", { site: 101, terminators: [51] }, 77, { site: 51, terminators: [26] }],
  [
    "small ones keep one, and large ones give way",
    { site: 1000, terminators: [1, 1, 1] },
    4,
    { site: 1, terminators: [1, 1, 1] },
  ],
  ["less than one for each", { site: 10, terminators: [10, 10] }, 1, { site: 1, terminators: [1, 1] }],
  ["none", { site: 10, terminators: [] }, 0, { site: 1, terminators: [] }],
];
for (const [name, limits, most, want] of fewer) {
  test(`withFewerConnections: ${name}`, () => {
    assert.deepEqual(limitsOf(withFewerConnections(settingsWith(limits), most)), want);
  });
}

const limitsAtRandom: fc.Arbitrary<Limits> = fc
  .record({
    site: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
    terminators: fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 5 }),
  })
  .filter(({ site, terminators }) => site !== undefined || terminators.length > 0);

test("withFewerConnections: together no more than there may be, one at least, and nobody gets more than it had", () => {
  fc.assert(
    fc.property(limitsAtRandom, fc.oneof(fc.nat(20), fc.nat(6_000_000)), (limits, most) => {
      const before = eachOf(limits);
      const after = eachOf(limitsOf(withFewerConnections(settingsWith(limits), most)));
      const total = after.reduce((sum, each) => sum + each, 0);
      assert.ok(total <= Math.max(most, before.length), `${after.join(" + ")} = ${total}`);
      for (const [index, each] of after.entries()) assert.ok(each >= 1 && each <= (before[index] ?? 0));
      const wanted = before.reduce((sum, each) => sum + each, 0);
      if (wanted <= most) assert.deepEqual(after, before);
      // By rounding nobody loses one.
      else assert.ok(total > Math.min(most, wanted) - before.length);
    }),
  );
});

test("settingsForWorker: terminators' connections are shared out like those of the sites", () => {
  fc.assert(
    fc.property(limitsAtRandom, fc.integer({ min: 1, max: 8 }), (limits, count) => {
      const settings = settingsWith(limits);
      const workers = Array.from({ length: count }, (_worker, index) => settingsForWorker(settings, index, count));
      for (const [place, total] of eachOf(limits).entries()) {
        const shares = workers.map((own) => eachOf(limitsOf(own))[place] ?? 0);
        // Each gets one where there are not enough for all: else it could not serve.
        assert.equal(
          shares.reduce((sum, each) => sum + each, 0),
          Math.max(total, count),
        );
        assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
      }
    }),
  );
});

test("settingsForWorker: all else of a terminator stays whole", () => {
  const settings = settingsWith({ site: 10, terminators: [10] });
  const [[name, own] = []] = settingsForWorker(settings, 0, 2).terminators;
  assert.equal(name, "t0");
  assert.deepEqual({ ...own, maxConnections: 10 }, settings.terminators.get("t0"));
});
