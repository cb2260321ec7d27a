import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { type TestContext, test } from "node:test";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { FileCache } from "../../src/site/file-cache.ts";
import { openBelow } from "../../src/site/open-file.ts";
import type { Site } from "../../src/site/site.ts";
import { makeTree } from "../support/file-tree.ts";
import { HandClock, HandTurn, LONG_AGO, passTick, siteAt, writeOld } from "../support/served-site.ts";

/** Room for this many files of FILE_SIZE, and not a byte more. */
const CAPACITY = 3;
const FILE_SIZE = 512;
const COST_OF_FILE = FILE_SIZE + 1536;

interface Fixture {
  readonly top: AbsolutePath;
  readonly turn: HandTurn;
  readonly clock: HandClock;
  readonly site: Site;
  readonly cache: FileCache;
}

function makeFixture(t: TestContext, maxBytes = CAPACITY * COST_OF_FILE, valid = 0): Fixture {
  const top = makeTree(t, { "root/": "", "outside/": "" });
  const turn = new HandTurn();
  const clock = new HandClock();
  const cache = new FileCache(
    { maxBytes: bytes(maxBytes), maxFile: bytes(4096), valid: milliseconds(valid) },
    turn,
    clock,
  );
  return { top, turn, clock, site: siteAt(absolutePath(`${top}/root`), turn), cache };
}

/** Opens, reads and keeps the file at `path` of the site, as `locate` does. */
function keep(cache: FileCache, site: Site, path: string): void {
  const opened = openBelow(site.root, path.slice(1).split("/"), site.rules.symlinks);
  assert.ok(opened.kind === "file", `${path}: ${opened.kind}`);
  const content = readFileSync(opened.descriptor);
  closeSync(opened.descriptor);
  const { size } = opened.identity;
  const facts = { size, modified: undefined, tag: { weak: false, opaque: "t" }, mediaType: "text/plain" };
  cache.store(site, path, { identity: { facts, bytes: content } }, opened.stamp);
}

function contentAt({ cache, site }: Fixture, path: string): string | undefined {
  const found = cache.lookup(site, path);
  return found && Buffer.from(found.identity.bytes).toString();
}

/** Makes files of FILE_SIZE bytes in the root and keeps them, in this order. */
function keepFull(fixture: Fixture, ...names: readonly string[]): void {
  for (const name of names) {
    writeOld(`${fixture.top}/root/${name}`, name.padEnd(FILE_SIZE));
    keep(fixture.cache, fixture.site, `/${name}`);
  }
}

/** Which of the names are kept, asked in a turn of their own. */
function kept(fixture: Fixture, ...names: readonly string[]): readonly string[] {
  fixture.turn.next();
  return names.filter((name) => fixture.cache.lookup(fixture.site, `/${name}`) !== undefined);
}

test("a file that was kept is found, the same object each time and in every turn", (t) => {
  const fixture = makeFixture(t);
  keepFull(fixture, "f");
  const first = fixture.cache.lookup(fixture.site, "/f");
  assert.equal(first?.identity.bytes.length, FILE_SIZE);
  assert.equal(fixture.cache.lookup(fixture.site, "/f"), first);
  fixture.turn.next();
  assert.equal(fixture.cache.lookup(fixture.site, "/f"), first);
});

const otherSpellings = ["/F", "/f/", "//f", "/./f", "/%66", "f", "/f?", ""];
for (const path of otherSpellings) {
  test(`another spelling is not found: ${JSON.stringify(path)}`, (t) => {
    const fixture = makeFixture(t);
    keepFull(fixture, "f");
    assert.equal(fixture.cache.lookup(fixture.site, path), undefined);
  });
}

/** Each leaves something else at `root/dir/f`, which held `content`. */
const changes: [name: string, change: (top: string) => void][] = [
  ["rewritten at the same size", (top) => writeFileSync(`${top}/root/dir/f`, "CONTENT")],
  [
    "replaced by a file of the same size and time",
    (top) => {
      writeOld(`${top}/next`, "CONTENT");
      renameSync(`${top}/next`, `${top}/root/dir/f`);
    },
  ],
  [
    "rewritten at the same size, and the old time put back",
    (top) => {
      writeFileSync(`${top}/root/dir/f`, "CONTENT");
      utimesSync(`${top}/root/dir/f`, LONG_AGO, LONG_AGO);
    },
  ],
  ["truncated", (top) => truncateSync(`${top}/root/dir/f`, 3)],
  ["emptied", (top) => truncateSync(`${top}/root/dir/f`, 0)],
  ["grown", (top) => writeFileSync(`${top}/root/dir/f`, "more", { flag: "a" })],
  ["deleted", (top) => rmSync(`${top}/root/dir/f`)],
  ["made unreadable", (top) => chmodSync(`${top}/root/dir/f`, 0o000)],
  [
    "replaced by a directory",
    (top) => {
      rmSync(`${top}/root/dir/f`);
      mkdirSync(`${top}/root/dir/f`);
    },
  ],
  ["its directory deleted", (top) => rmSync(`${top}/root/dir`, { recursive: true })],
  [
    "its directory moved outside, and a link to it put in its place",
    (top) => {
      renameSync(`${top}/root/dir`, `${top}/outside/dir`);
      symlinkSync("../outside/dir", `${top}/root/dir`);
    },
  ],
  ["the document root deleted", (top) => rmSync(`${top}/root`, { recursive: true })],
];
for (const [name, change] of changes) {
  test(`what was seen holds for its turn and no longer: ${name}`, (t) => {
    const fixture = makeFixture(t);
    mkdirSync(`${fixture.top}/root/dir`);
    writeOld(`${fixture.top}/root/dir/f`, "content");
    keep(fixture.cache, fixture.site, "/dir/f");
    passTick(`${fixture.top}/root/dir/f`, fixture.top);

    change(fixture.top);
    assert.equal(contentAt(fixture, "/dir/f"), "content");
    fixture.turn.next();
    assert.equal(contentAt(fixture, "/dir/f"), undefined);
    assert.equal(contentAt(fixture, "/dir/f"), undefined);
  });
}

test("a linked directory that is swapped to the outside is not served, even when the very same file is there", (t) => {
  const fixture = makeFixture(t);
  const { top, turn } = fixture;
  mkdirSync(`${top}/root/inner`);
  writeOld(`${top}/root/inner/f`, "content");
  symlinkSync("inner", `${top}/root/link`);
  keep(fixture.cache, fixture.site, "/link/f");
  turn.next();
  assert.equal(contentAt(fixture, "/link/f"), "content");

  renameSync(`${top}/root/inner`, `${top}/outside/inner`);
  symlinkSync("../outside/inner", `${top}/next`);
  renameSync(`${top}/next`, `${top}/root/link`);
  turn.next();
  assert.equal(contentAt(fixture, "/link/f"), undefined);
});

test("an entry that was dropped is not found again when the old file comes back, until it is kept anew", (t) => {
  const fixture = makeFixture(t);
  keepFull(fixture, "f");
  renameSync(`${fixture.top}/root/f`, `${fixture.top}/away`);
  assert.deepEqual(kept(fixture, "f"), []);
  renameSync(`${fixture.top}/away`, `${fixture.top}/root/f`);
  assert.deepEqual(kept(fixture, "f"), []);
  keep(fixture.cache, fixture.site, "/f");
  assert.deepEqual(kept(fixture, "f"), ["f"]);
});

test("sites are kept apart, also over one directory", (t) => {
  const fixture = makeFixture(t);
  const other = siteAt(absolutePath(`${fixture.top}/root`), fixture.turn, {}, "other");
  keepFull(fixture, "f");
  assert.equal(fixture.cache.lookup(other, "/f"), undefined);
  keep(fixture.cache, other, "/f");
  assert.notEqual(fixture.cache.lookup(other, "/f"), fixture.cache.lookup(fixture.site, "/f"));
});

const sizes: [name: string, size: number, maxBytes: number, want: boolean][] = [
  ["an empty file", 0, 4096, true],
  ["as large as a file may be", 4096, 2 ** 20, true],
  ["larger than a file may be", 4097, 2 ** 20, false],
  ["as large as the whole cache", FILE_SIZE, COST_OF_FILE, true],
  ["one that could not be kept: what is read whole depends on cache-file alone", FILE_SIZE + 1, COST_OF_FILE, true],
  ["an empty file, where nothing is kept", 0, 0, false],
];
for (const [name, size, maxBytes, want] of sizes) {
  test(`admits: ${name}`, () => {
    const cache = new FileCache(
      { maxBytes: bytes(maxBytes), maxFile: bytes(4096), valid: milliseconds(0) },
      new HandTurn(),
      new HandClock(),
    );
    assert.equal(cache.admits(bytes(size)), want);
  });
}

test("a file that is larger than the whole cache is not kept, and takes no other's place", (t) => {
  const fixture = makeFixture(t, CAPACITY * COST_OF_FILE);
  keepFull(fixture, "a");
  writeOld(`${fixture.top}/root/large`, "x".repeat(CAPACITY * COST_OF_FILE));
  keep(fixture.cache, fixture.site, "/large");
  assert.deepEqual(kept(fixture, "a", "large"), ["a"]);
});

test("a full cache lets the oldest that was not used go first", (t) => {
  const fixture = makeFixture(t);
  keepFull(fixture, "a", "b", "c");
  assert.deepEqual(kept(fixture, "a"), ["a"]);
  keepFull(fixture, "d");
  assert.deepEqual(kept(fixture, "a", "b", "c", "d"), ["a", "c", "d"]);
});

test("a file that replaces its own entry takes no other's place", (t) => {
  const fixture = makeFixture(t);
  keepFull(fixture, "a", "b", "c", "c", "c");
  assert.deepEqual(kept(fixture, "a", "b", "c"), ["a", "b", "c"]);
});

test("small files are counted with what an entry costs", (t) => {
  const fixture = makeFixture(t, 4 * 1536);
  for (const name of ["a", "b", "c", "d", "e"]) {
    writeOld(`${fixture.top}/root/${name}`, "");
    keep(fixture.cache, fixture.site, `/${name}`);
  }
  assert.deepEqual(kept(fixture, "a", "b", "c", "d", "e"), ["b", "c", "d", "e"]);
});

test("whatever came and went, the whole capacity is there again", (t) => {
  const fixture = makeFixture(t);
  const { cache, site, top, turn } = fixture;
  for (let round = 0; round < 20; round += 1) {
    keepFull(fixture, "a", "b", "b", "c", "d");
    cache.alias(site, "/alias", "/d");
    cache.alias(site, "/alias", "/d");
    for (const name of ["a", "b", "c", "d"]) truncateSync(`${top}/root/${name}`, round);
    turn.next();
    for (const path of ["/a", "/b", "/c", "/d", "/alias"]) assert.equal(cache.lookup(site, path), undefined);
  }
  keepFull(fixture, "x", "y", "z");
  assert.deepEqual(kept(fixture, "x", "y", "z"), ["x", "y", "z"]);
});

test("an alias is found as long as its file, and no longer", (t) => {
  const fixture = makeFixture(t);
  const { cache, site, top, turn } = fixture;
  keepFull(fixture, "index.html");
  cache.alias(site, "/", "/index.html");
  assert.equal(cache.lookup(site, "/"), cache.lookup(site, "/index.html"));
  turn.next();
  assert.equal(cache.lookup(site, "/"), cache.lookup(site, "/index.html"));
  rmSync(`${top}/root/index.html`);
  turn.next();
  assert.equal(cache.lookup(site, "/"), undefined);
});

test("an alias outlives the entry it was made from, while its file is unchanged", (t) => {
  const fixture = makeFixture(t);
  keepFull(fixture, "index.html");
  fixture.cache.alias(fixture.site, "/", "/index.html");
  fixture.turn.next();
  assert.ok(fixture.cache.lookup(fixture.site, "/"));
  keepFull(fixture, "a", "b");
  assert.equal(fixture.cache.lookup(fixture.site, "/index.html"), undefined);
  assert.ok(fixture.cache.lookup(fixture.site, "/"));
});

test("an alias of what is not kept is none", (t) => {
  const fixture = makeFixture(t);
  fixture.cache.alias(fixture.site, "/", "/index.html");
  assert.equal(fixture.cache.lookup(fixture.site, "/"), undefined);
});

test("FileCache: with cache-valid an entry is trusted for that time, and then looked at again", (t) => {
  const fixture = makeFixture(t, undefined, 1000);
  const { top, site, cache, turn, clock } = fixture;
  writeOld(`${top}/root/f`, "before");
  keep(cache, site, "/f");
  writeFileSync(`${top}/root/f`, "after");
  turn.next();
  clock.time += 999;
  assert.equal(contentAt(fixture, "/f"), "before");
  turn.next();
  clock.time += 1;
  assert.equal(contentAt(fixture, "/f"), undefined);
});
