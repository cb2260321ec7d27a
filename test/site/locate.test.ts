import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { after, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import type { Status } from "../../src/base/status.ts";
import { bytes, seconds } from "../../src/base/units.ts";
import { fileEntityTag } from "../../src/site/file-tag.ts";
import { loadErrorPage, release } from "../../src/site/find-file.ts";
import { ListingMemory } from "../../src/site/listing-memory.ts";
import { type LocateContext, locate } from "../../src/site/locate.ts";
import type { Resource } from "../../src/site/resource.ts";
import { SharedListings } from "../../src/site/shared-listings.ts";
import type { Site, SiteRules } from "../../src/site/site.ts";
import type { ListDirectoryOutput } from "../../src/tasks/list-directory.ts";
import type { TaskOutcome, TaskPool } from "../../src/tasks/task-types.ts";
import { addToTree, DIRECTORY, FIFO, linkTo, makeTree } from "../support/file-tree.ts";
import { fakeRequestHead } from "../support/request-head.ts";
import {
  asOrdinaryUser,
  countDescriptors,
  descriptorsUncounted,
  HandClock,
  HandTurn,
  LONG_AGO,
  locateContext,
  siteAt,
  writeOld,
} from "../support/served-site.ts";

const MEBIBYTE = 2 ** 20;

const ENTRIES = {
  "secret.txt": "secret",
  "root-beside/f.txt": "secret",
  "root/f.txt": "text",
  "root/page.HTML": "page",
  "root/archive.tar.gz": "packed",
  "root/README": "none",
  "root/a b%.txt": "blank",
  "root/ü/f.txt": "umlaut",
  "root/docs/index.html": "docs",
  "root/docs/index.htm": "second",
  "root/htm/index.htm": "htm",
  "root/plain/f.txt": "f",
  "root/odd/index.html/": DIRECTORY,
  "root/odd/index.htm": "after a directory",
  "root/pipe/index.html": FIFO,
  "root/escape/index.html": linkTo("../../secret.txt"),
  "root/dangling/index.html": linkTo("nowhere"),
  "root/dangling/index.htm": "after a dangling link",
  "root/evil.example/": DIRECTORY,
  "root/x\r\nSet-Cookie: a=b/": DIRECTORY,
  "root/what?#/": DIRECTORY,
  "root/.git/config": "secret",
  "root/.hidden": "secret",
  "root/docs/.hidden/f.txt": "secret",
  "root/.well-known/security.txt": "well known",
  "root/.well-known/.private": "secret",
  "root/sub/.well-known/f.txt": "secret",
  "root/out": linkTo("../secret.txt"),
  "root/beside": linkTo("../root-beside"),
  "root/in": linkTo("docs"),
  "root/loop": linkTo("loop"),
  "root/fifo": FIFO,
};

interface Fixture {
  readonly top: AbsolutePath;
  readonly turn: HandTurn;
  readonly clock: HandClock;
  readonly context: LocateContext;
  readonly site: Site;
}

/** @param top  for tests that leave the tree as it is, one for all of them */
function makeFixture(
  t: TestContext,
  rules: Partial<SiteRules> = {},
  limits: { maxBytes?: number } = {},
  top: AbsolutePath = makeTree(t, ENTRIES),
): Fixture {
  const turn = new HandTurn();
  const clock = new HandClock();
  const site = siteAt(absolutePath(`${top}/root`), turn, rules);
  return { top, turn, clock, site, context: locateContext(turn, clock, limits) };
}

interface Target {
  readonly path: string;
  readonly query?: string;
  readonly accept?: string;
}

function asking(head: Parameters<typeof fakeRequestHead>[0], gone: AbortSignal = new AbortController().signal) {
  return { head: fakeRequestHead(head), gone };
}

async function find({ context, site }: Fixture, target: string | Target): Promise<Resource> {
  const { path, query, accept } = typeof target === "string" ? { path: target } : target;
  const fields = accept === undefined ? [] : [["Accept", accept] as const];
  return await locate(context, site, asking({ path, query, fields }));
}

/** The resource in a few words. It is released. */
async function describe(fixture: Fixture, target: string | Target): Promise<string> {
  const resource = await find(fixture, target);
  try {
    switch (resource.kind) {
      case "file":
        return `file ${resource.facts.mediaType}: ${contentOf(resource)}`;
      case "page":
        return `page ${resource.page.mediaType}`;
      case "redirect":
        return `to ${resource.location}`;
      case "refused":
        return `${resource.status} ${resource.reason}`;
      case "busy":
        return `busy ${resource.reason}`;
      case "options":
      case "created":
        return resource.kind;
    }
  } finally {
    release(resource);
  }
}

function contentOf({ content, facts }: Extract<Resource, { kind: "file" }>): string {
  if (content.kind === "memory") return Buffer.from(content.bytes).toString();
  const buffer = Buffer.alloc(facts.size);
  readSync(content.source.descriptor, buffer, 0, buffer.length, 0);
  return buffer.toString();
}

const TEXT = "file text/plain; charset=utf-8";
const HTML = "file text/html; charset=utf-8";
const LISTING = "page text/html; charset=utf-8";
const MISSING = "404 not-found";
const HIDDEN = "404 dotfile";

const cases: [name: string, target: string | Target, want: string, rules?: Partial<SiteRules>][] = [
  ["a file", "/f.txt", `${TEXT}: text`],
  ["the extension counts in any case", "/page.HTML", `${HTML}: page`],
  ["no extension", "/README", "file application/octet-stream: none"],
  ["a name that is encoded", "/a%20b%25.txt", `${TEXT}: blank`],
  ["a name that is UTF-8", "/%C3%BC/f.txt", `${TEXT}: umlaut`],
  ["slashes and dots collapse", "//.//docs/./index.htm", `${HTML}: second`],
  ["a query means nothing to a file", { path: "/f.txt", query: "x" }, `${TEXT}: text`],
  ["nothing there", "/missing", MISSING],
  ["nothing below a file", "/f.txt/x", MISSING],
  ["a slash after a file", "/f.txt/", MISSING],
  ["a dot after a file", "/f.txt/.", MISSING],
  ["another case is another name", "/F.txt", MISSING],
  ["a name longer than any", `/${"x".repeat(300)}`, "404 name-too-long"],
  ["a FIFO", "/fifo", "404 not-a-file"],

  [
    "a type of our own",
    "/README",
    "file text/x-readme; charset=utf-8: none",
    { mimeTypes: new Map([["", "text/x-readme"]]) },
  ],
  ["no charset", "/f.txt", "file text/plain: text", { charset: "" }],
  ["an extension that is allowed", "/f.txt", `${TEXT}: text`, { types: ["txt"] }],
  ["an extension that is not allowed", "/page.HTML", "415 type-not-allowed", { types: ["txt"] }],
  ["only the last extension counts", "/archive.tar.gz", "415 type-not-allowed", { types: ["tar"] }],
  ["no extension is not allowed", "/README", "415 type-not-allowed", { types: ["txt"] }],
  ["an index file is no exception", "/docs/", "415 type-not-allowed", { types: ["txt"] }],
  ["what is missing is missing, whatever its extension", "/missing.exe", MISSING, { types: ["txt"] }],

  ["a directory without its slash", "/docs", "to /docs/"],
  ["its query is kept", { path: "/docs", query: "a=%2F&b" }, "to /docs/?a=%2F&b"],
  ["an empty query too", { path: "/docs", query: "" }, "to /docs/?"],
  ["another host is no host", "//evil.example", "to /evil.example/"],
  ["nor with more slashes", "///.//evil.example", "to /evil.example/"],
  ["a line end in a name stays encoded", "/x%0d%0aSet-Cookie:%20a=b", "to /x%0D%0ASet-Cookie:%20a=b/"],
  ["a question mark and a hash stay encoded", "/what%3f%23", "to /what%3F%23/"],
  ["UTF-8 is encoded again", "/%c3%bc", "to /%C3%BC/"],
  ["a link to a directory", "/in", "to /in/"],
  ["a directory without listing and index file", "/plain", "to /plain/", { listing: false }],
  ["one that is hidden is not there", "/.git", HIDDEN],

  ["the first index file", "/docs/", `${HTML}: docs`],
  ["a dot means the directory", "/docs/.", `${HTML}: docs`],
  ["the next index file", "/htm/", `${HTML}: htm`],
  ["in another order", "/docs/", `${HTML}: second`, { indexfiles: ["index.htm", "index.html"] }],
  ["none of them is asked for", "/docs/", LISTING, { indexfiles: [] }],
  ["through a link to a directory", "/in/", `${HTML}: docs`],
  ["an index file that is a directory is none", "/odd/", `${HTML}: after a directory`],
  ["an index file that is a FIFO is none", "/pipe/", LISTING],
  ["an index file that leads nowhere is none", "/dangling/", `${HTML}: after a dangling link`],
  ["an index file that leads out", "/escape/", "404 symlink-escape"],
  ["an index file is a file, too", "/docs/index.html", `${HTML}: docs`],

  ["the root", "/", LISTING],
  ["a directory without index file", "/plain/", LISTING],
  ["as JSON", { path: "/plain/", accept: "application/json" }, "page application/json"],
  ["sorted", { path: "/plain/", query: "C=S&O=D" }, LISTING],
  ["no listing", "/plain/", "403 no-listing", { listing: false }],
  ["no listing, but an index file", "/docs/", `${HTML}: docs`, { listing: false }],
  ["no listing of what is not there", "/missing/", MISSING, { listing: false }],

  ["a hidden file", "/.hidden", HIDDEN],
  ["below a hidden directory", "/.git/config", HIDDEN],
  ["deeper down", "/docs/.hidden/f.txt", HIDDEN],
  ["a hidden directory", "/.git/", HIDDEN],
  ["whether it is there or not", "/.missing", HIDDEN],
  ["hidden in encoded form", "/%2egit/config", HIDDEN],
  ["hidden, and dotfiles = yes", "/.hidden", "file application/octet-stream: secret", { dotfiles: true }],
  ["well-known", "/.well-known/security.txt", `${TEXT}: well known`],
  ["well-known without its slash", "/.well-known", "to /.well-known/"],
  ["hidden below well-known", "/.well-known/.private", HIDDEN],
  ["well-known elsewhere", "/sub/.well-known/f.txt", HIDDEN],

  ["climbing", "/../secret.txt", "404 traversal"],
  ["climbing inside", "/docs/../f.txt", "404 traversal"],
  ["climbing in encoded form", "/%2e%2e/secret.txt", "404 traversal"],
  ["climbing half encoded", "/.%2E/secret.txt", "404 traversal"],
  ["climbing at the end", "/docs/..", "404 traversal"],
  ["climbing, 403", "/../secret.txt", "403 traversal", { traversalStatus: 403 }],
  ["climbing, 400", "/../secret.txt", "400 traversal", { traversalStatus: 400 }],
  ["climbing is told before hiding", "/.git/../f.txt", "404 traversal"],
  ["encoded twice it is a name", "/%252e%252e/secret.txt", MISSING],
  ["an encoded slash", "/docs%2findex.html", "400 bad-path-character"],
  ["a backslash", "/docs\\index.html", "400 bad-path-character"],
  ["an encoded NUL", "/f.txt%00.html", "400 bad-path-character"],
  ["not UTF-8", "/%ff", "400 bad-path-encoding"],
  ["overlong UTF-8", "/%c0%ae%c0%ae/secret.txt", "400 bad-path-encoding"],
  ["half an encoding", "/%", "400 bad-path-encoding"],
  ["bad encoding has its own status", "/%", "400 bad-path-encoding", { traversalStatus: 403 }],

  ["a link that leads out", "/out", "404 symlink-escape"],
  ["a directory link that leads out", "/beside/", "404 symlink-escape"],
  ["a file behind it", "/beside/f.txt", "404 symlink-escape"],
  ["links anywhere", "/beside/f.txt", `${TEXT}: secret`, { symlinks: "anywhere" }],
  ["a link inside, with never", "/in/", "404 symlink-escape", { symlinks: "never" }],
  ["a loop", "/loop", MISSING],
];
const sharedTree = makeTree({ after: (clean) => after(clean as () => void) }, ENTRIES);

for (const [name, target, want, rules] of cases) {
  test(`locate: ${name}: ${JSON.stringify(target).slice(0, 60)}`, async (t) => {
    const fixture = makeFixture(t, rules, {}, sharedTree);
    assert.equal(await describe(fixture, target), want);
    assert.equal(await describe(fixture, target), want, "a second time, in the same turn");
    fixture.turn.next();
    assert.equal(await describe(fixture, target), want, "in the next turn");
  });
}

test("locate: a download has its name", async (t) => {
  const fixture = makeFixture(t, { download: ["gz"] }, {}, sharedTree);
  const resource = await find(fixture, "/archive.tar.gz");
  assert.ok(resource.kind === "file");
  assert.equal(resource.facts.downloadName, "archive.tar.gz");
  const other = await find(fixture, "/f.txt");
  assert.ok(other.kind === "file" && other.facts.downloadName === undefined);
});

test("locate: a listing works under a policy, and its form depends on Accept", async (t) => {
  const resource = await find(makeFixture(t, {}, {}, sharedTree), "/plain/");
  assert.ok(resource.kind === "page");
  assert.equal(resource.page.vary, "Accept");
  assert.match(resource.page.securityPolicy ?? "", /default-src 'none'/);
});

// ---- listings that have to wait

/** A pool whose tasks end as the test says. */
function poolThat(outcome: TaskOutcome<ListDirectoryOutput> | Error, seen: (AbortSignal | undefined)[] = []): TaskPool {
  return {
    hasRoom: true,
    reserve: () => undefined,
    noteRefusal: () => undefined,
    run: async (_name, _input, signal) => {
      seen.push(signal);
      if (outcome instanceof Error) throw outcome;
      return outcome as TaskOutcome<never>;
    },
  };
}

function withTasks(context: LocateContext, pool: TaskPool, memory = new ListingMemory()): LocateContext {
  return { ...context, pool, listings: new SharedListings(pool, memory) };
}

function pageOf(size: number): TaskOutcome<ListDirectoryOutput> {
  const output = { kind: "page", mediaType: "text/html", bytes: new Uint8Array(size), securityPolicy: "" } as const;
  return { kind: "done", output };
}

const outcomes: [name: string, outcome: TaskOutcome<ListDirectoryOutput>, want: string][] = [
  ["no place in the queue", { kind: "busy" }, "busy queue-full"],
  ["the client has disconnected", { kind: "cancelled" }, "busy queue-full"],
  [
    "no descriptors",
    { kind: "done", output: { kind: "failed", reason: "out-of-descriptors" } },
    "busy out-of-descriptors",
  ],
  ["gone meanwhile", { kind: "done", output: { kind: "failed", reason: "not-found" } }, MISSING],
  ["a page", pageOf(1), "page text/html"],
];
for (const [name, outcome, want] of outcomes) {
  test(`locate: a listing: ${name}`, { skip: descriptorsUncounted }, async (t) => {
    const fixture = makeFixture(t, {}, {}, sharedTree);
    const waiting = {
      ...fixture,
      context: { ...withTasks(fixture.context, poolThat(outcome)), retryAfter: seconds(7) },
    };
    const before = countDescriptors();
    const resource = await find(waiting, "/plain/");
    if (resource.kind === "busy") assert.equal(resource.retryAfter, 7);
    release(resource);
    assert.equal(await describe(waiting, "/plain/"), want);
    assert.equal(countDescriptors(), before);
  });
}

test("locate: a listing whose thread died leaves no descriptor", { skip: descriptorsUncounted }, async (t) => {
  const fixture = makeFixture(t, {}, {}, sharedTree);
  const waiting = { ...fixture, context: withTasks(fixture.context, poolThat(new Error("died"))) };
  const before = countDescriptors();
  await assert.rejects(find(waiting, "/plain/"), /died/);
  assert.equal(countDescriptors(), before);
});

test("locate: the pool is told when the client goes", async (t) => {
  const { context, site } = makeFixture(t, {}, {}, sharedTree);
  const signals: (AbortSignal | undefined)[] = [];
  const watched = withTasks(context, poolThat(pageOf(1), signals));
  release(await locate(watched, site, asking({ path: "/plain/" }, AbortSignal.abort())));
  await turn();
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [true],
  );
});

test("locate: listings that are still being sent are bounded", async (t) => {
  const fixture = makeFixture(t, {}, {}, sharedTree);
  const listingMemory = new ListingMemory(bytes(10));
  const asking = { ...fixture, context: withTasks(fixture.context, poolThat(pageOf(5)), listingMemory) };
  const sent = [await find(asking, "/plain/"), await find(asking, "/plain/")];
  assert.deepEqual(
    sent.map(({ kind }) => kind),
    ["page", "page"],
  );
  assert.equal(await describe(asking, "/plain/"), "busy queue-full");
  for (const page of sent) release(page);
  assert.equal(await describe(asking, "/plain/"), "page text/html");
});

// ---- rights

const forbidden: [name: string, path: string, mode: number, target: string, want: string][] = [
  ["a file", "root/f.txt", 0o000, "/f.txt", "403 no-permission"],
  ["an index file, and no other is tried", "root/docs/index.html", 0o000, "/docs/", "403 no-permission"],
  ["a directory that may not be entered", "root/docs", 0o600, "/docs/index.htm", "403 no-permission"],
  ["its listing", "root/plain", 0o600, "/plain/", "403 no-permission"],
  ["a directory that may be entered and not read", "root/docs", 0o311, "/docs/", "file"],
  ["the listing of such a one", "root/plain", 0o311, "/plain/", "403 no-permission"],
];
for (const [name, path, mode, target, want] of forbidden) {
  test(`locate without the right: ${name}`, async (t) => {
    const fixture = makeFixture(t);
    chmodSync(`${fixture.top}/${path}`, mode);
    const request = asking({ path: target });
    // The first look is synchronous, and what it finds decides all of these.
    const resource = asOrdinaryUser(fixture.top, () => locate(fixture.context, fixture.site, request));
    chmodSync(`${fixture.top}/${path}`, 0o755);
    const found = await resource;
    release(found);
    assert.equal(found.kind === "refused" ? `${found.status} ${found.reason}` : found.kind, want);
  });
}

test("locate: a document root that is gone", async (t) => {
  const fixture = makeFixture(t);
  rmSync(`${fixture.top}/root`, { recursive: true });
  for (const target of ["/", "/f.txt", "/docs", "/docs/"]) assert.equal(await describe(fixture, target), MISSING);
});

// ---- memory and freshness

test("locate: a small file is read once, and its name finds it in memory", async (t) => {
  const fixture = makeFixture(t);
  writeOld(`${fixture.top}/root/old.txt`, "old");
  await describe(fixture, "//old.txt");
  assert.equal(fixture.context.files.lookup(fixture.site, "/old.txt")?.identity.facts.size, 3);
});

test("locate: a file that may change unseen is not kept", async (t) => {
  const fixture = makeFixture(t);
  fixture.clock.time = LONG_AGO * 1000 + 5;
  writeOld(`${fixture.top}/root/young.txt`, "young");
  const resource = await find(fixture, "/young.txt");
  assert.ok(resource.kind === "file" && resource.content.kind === "memory");
  assert.equal(resource.facts.tag.weak, false);
  assert.equal(fixture.context.files.lookup(fixture.site, "/young.txt"), undefined);
  fixture.clock.time += 60_000;
  const later = await find(fixture, "/young.txt");
  assert.ok(later.kind === "file");
  assert.deepEqual(later.facts.tag, resource.facts.tag);
  assert.ok(fixture.context.files.lookup(fixture.site, "/young.txt"));
});

test("locate: a large file is left open, and released by its descriptor", async (t) => {
  const fixture = makeFixture(t);
  writeOld(`${fixture.top}/root/large.bin`, "");
  truncateSync(`${fixture.top}/root/large.bin`, MEBIBYTE + 1);
  const resource = await find(fixture, "/large.bin");
  assert.ok(resource.kind === "file" && resource.content.kind === "open");
  const { descriptor } = resource.content.source;
  assert.equal(readSync(descriptor, Buffer.alloc(1), 0, 1, 0), 1);
  release(resource);
  assert.throws(() => readSync(descriptor, Buffer.alloc(1), 0, 1, 0), { code: "EBADF" });
});

test("locate: with cache-size = 0 every file is left open", async (t) => {
  const fixture = makeFixture(t, {}, { maxBytes: 0 });
  const resource = await find(fixture, "/f.txt");
  assert.ok(resource.kind === "file" && resource.content.kind === "open");
  assert.equal(contentOf(resource), "text");
  release(resource);
});

test("locate: the index files of a directory come and go", async (t) => {
  const fixture = makeFixture(t);
  const { top, turn } = fixture;
  const folder = `${top}/root/site`;
  mkdirSync(folder);
  const steps: [change: () => void, want: string][] = [
    [() => {}, LISTING],
    [() => writeOld(`${folder}/index.htm`, "htm"), `${HTML}: htm`],
    [() => writeOld(`${folder}/index.html`, "html"), `${HTML}: html`],
    [() => writeOld(`${folder}/index.html`, "HTML"), `${HTML}: HTML`],
    [() => rmSync(`${folder}/index.html`), `${HTML}: htm`],
    [() => mkdirSync(`${folder}/index.html`), `${HTML}: htm`],
    [() => rmSync(`${folder}/index.html`, { recursive: true }), `${HTML}: htm`],
    [() => symlinkSync("../../secret.txt", `${folder}/index.html`), "404 symlink-escape"],
    [() => rmSync(`${folder}/index.html`), `${HTML}: htm`],
    [() => writeOld(`${folder}/index.html`, "again"), `${HTML}: again`],
    [() => rmSync(folder, { recursive: true }), MISSING],
  ];
  for (const [change, want] of steps) {
    change();
    turn.next();
    for (const target of ["/site/", "/site/", "//site/./"]) assert.equal(await describe(fixture, target), want);
  }
});

test("locate: a directory's own path finds its first index file in memory", async (t) => {
  const fixture = makeFixture(t);
  const { top, site, context } = fixture;
  writeOld(`${top}/root/docs/index.html`, "docs");
  writeOld(`${top}/root/htm/index.htm`, "htm");
  await describe(fixture, "/docs/");
  await describe(fixture, "/htm/");
  assert.ok(context.files.lookup(site, "/docs/"));
  assert.equal(context.files.lookup(site, "/htm/"), undefined);
});

test("locate: a hidden index file serves its directory, and its own name stays hidden", async (t) => {
  const fixture = makeFixture(t, { indexfiles: [".index.html"] });
  writeOld(`${fixture.top}/root/docs/.index.html`, "hidden index");
  for (let round = 0; round < 2; round += 1) {
    assert.equal(await describe(fixture, "/docs/"), `${HTML}: hidden index`);
    assert.equal(fixture.context.files.lookup(fixture.site, "/docs/.index.html"), undefined);
    assert.equal(await describe(fixture, "/docs/.index.html"), HIDDEN);
  }
});

// ---- the site's own error pages

const pages: [name: string, path: string, want: string | undefined, limits?: { maxBytes: number }][] = [
  ["a page", "/own.html", "text/html; charset=utf-8: own"],
  ["a page, where nothing is kept in memory", "/own.html", "text/html; charset=utf-8: own", { maxBytes: 0 }],
  ["a page of another type", "/f.txt", "text/plain; charset=utf-8: text"],
  ["a hidden page", "/.git/own.html", "text/html; charset=utf-8: hidden"],
  ["missing", "/missing.html", undefined],
  ["a directory", "/docs", undefined],
  ["a directory with its slash", "/docs/", undefined],
  ["a FIFO", "/fifo", undefined],
  ["outside", "/out", undefined],
  ["climbing", "/../secret.txt", undefined],
  ["badly encoded", "/%", undefined],
  ["larger than a page may be", "/huge.html", undefined],
  ["as large as a page may be", "/large.html", `text/html; charset=utf-8: ${"\0".repeat(MEBIBYTE)}`],
];
for (const [name, path, want, limits] of pages) {
  test(`loadErrorPage: ${name}`, { skip: descriptorsUncounted }, (t) => {
    const { top, site, context } = makeFixture(t, { errorPages: new Map([[404, path]]) }, limits);
    addToTree(top, {
      "root/own.html": "own",
      "root/.git/own.html": "hidden",
      "root/large.html": "",
      "root/huge.html": "",
    });
    truncateSync(`${top}/root/large.html`, MEBIBYTE);
    truncateSync(`${top}/root/huge.html`, MEBIBYTE + 1);
    const before = countDescriptors();
    const page = loadErrorPage(context, site, 404);
    const got = page && `${page.mediaType}: ${Buffer.from(page.bytes).toString()}`;
    assert.equal(got, want);
    assert.equal(countDescriptors(), before);
  });
}

test("loadErrorPage: none for another status", (t) => {
  const { site, context } = makeFixture(t, { errorPages: new Map([[404, "/f.txt"]]) });
  for (const status of [200, 403, 500] satisfies Status[])
    assert.equal(loadErrorPage(context, site, status), undefined);
});

test("loadErrorPage: a changed page is the next one shown", (t) => {
  const { top, turn, site, context } = makeFixture(t, { errorPages: new Map([[404, "/own.html"]]) });
  for (const content of ["one", "two", "three"]) {
    writeOld(`${top}/root/own.html`, content);
    turn.next();
    assert.equal(Buffer.from(loadErrorPage(context, site, 404)?.bytes ?? []).toString(), content);
  }
});

test("loadErrorPage: a hidden page does not become one that can be asked for", async (t) => {
  const fixture = makeFixture(t, { errorPages: new Map([[404, "/.git/own.html"]]) });
  writeOld(`${fixture.top}/root/.git/own.html`, "hidden");
  assert.ok(loadErrorPage(fixture.context, fixture.site, 404));
  assert.equal(fixture.context.files.lookup(fixture.site, "/.git/own.html"), undefined);
  assert.equal(await describe(fixture, "/.git/own.html"), HIDDEN);
});

// ---- descriptors

test("locate: whatever is asked for, every descriptor is closed again", { skip: descriptorsUncounted }, async (t) => {
  for (const limits of [{}, { maxBytes: 0 }]) {
    const fixture = makeFixture(t, { types: ["txt", "html", "htm", "bin", ""] }, limits);
    writeFileSync(`${fixture.top}/root/large.bin`, "");
    truncateSync(`${fixture.top}/root/large.bin`, 2 * MEBIBYTE);
    const targets = [...cases.map(([, target]) => target), "/large.bin", "/large.bin"];
    for (const target of targets) await describe(fixture, target);
    const before = countDescriptors();
    for (let asked = 0; asked < 1000; asked += 1) {
      const target = targets[asked % targets.length] ?? "/";
      if (asked % 7 === 0) fixture.turn.next();
      // A file that is changed while it is looked for is read again.
      if (asked % 5 === 0) writeFileSync(`${fixture.top}/root/f.txt`, "x".repeat(asked % 50));
      await describe(fixture, target);
    }
    assert.equal(countDescriptors(), before);
  }
});

test("locate: a file that is never twice the same while it is read is sent from its descriptor", async (t) => {
  const fixture = makeFixture(t);
  const path = `${fixture.top}/root/f.txt`;
  // The rules for its type are read between opening and reading: there it becomes shorter each time.
  let size = 100;
  writeFileSync(path, "x".repeat(size));
  const rules: SiteRules = {
    ...fixture.site.rules,
    get types() {
      size -= 1;
      truncateSync(path, size);
      return [];
    },
  };
  const before = countDescriptors();
  const resource = await locate(fixture.context, { ...fixture.site, rules }, asking({ path: "/f.txt" }));
  assert.ok(resource.kind === "file" && resource.content.kind === "open");
  assert.equal(resource.content.source.identity.size, size + 1);
  assert.equal(
    resource.facts.tag.opaque,
    fileEntityTag(resource.content.source.identity, "exact", fixture.clock.wall()).opaque,
  );
  release(resource);
  assert.equal(countDescriptors(), before);
  assert.equal(fixture.context.files.lookup(fixture.site, "/f.txt"), undefined);
});
