import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { type TestContext, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { EventLoopTurn } from "../../src/base/clock.ts";
import { isProcessAlive } from "../../src/base/process-alive.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { formatTemporaryName } from "../../src/base/upload-name.ts";
import { DocumentRoot, type Reach } from "../../src/site/document-root.ts";
import { HostDirectories } from "../../src/site/host-directories.ts";
import type { Site, SiteRules } from "../../src/site/site.ts";
import { clearUploadsAgain, prepareUploads, takesUploads } from "../../src/site/upload.ts";
import { UploadStore } from "../../src/site/upload-store.ts";
import { makeTree, permissionsDoNotBind } from "../support/file-tree.ts";
import { siteAt } from "../support/served-site.ts";
import { siteRules } from "../support/site-rules.ts";
import { until } from "../support/until.ts";

function makeSite(t: TestContext, changes: Partial<SiteRules> = {}): Site {
  const top = makeTree(t, { "root/hello.txt": "hello" });
  return siteAt(absolutePath(`${top}/root`), new EventLoopTurn(), { upload: "/upload", ...changes });
}

/** @returns what was reported */
async function prepare(site: Site, ...others: Site[]): Promise<string[]> {
  const reports: string[] = [];
  const named = new Map(others.map((other, index) => [`${index}.test`, other]));
  await prepareUploads({ main: site, named, directories: undefined, defaultHost: undefined }, (text) =>
    reports.push(text),
  );
  return reports;
}

// ---- the directory

test("at start no directory is made", async (t) => {
  const site = makeSite(t);
  assert.deepEqual(await prepare(site), []);
  assert.ok(!existsSync(`${site.root.path}/uploads`));
});

test("a directory that cannot be used is reported, and the others are cleared", async (t) => {
  const main = makeSite(t, { uploadDir: "hello.txt" });
  const other = makeSite(t);
  const litter = `${other.root.path}/uploads/${formatTemporaryName(deadPid(), "ab")}`;
  mkdirSync(`${other.root.path}/uploads`);
  writeFileSync(litter, "[1,");
  const [report, ...more] = await prepare(main, other);
  assert.match(report ?? "", /^uploads of main cannot be stored: .*ENOTDIR/);
  assert.deepEqual(more, []);
  assert.ok(!existsSync(litter));
});

test("the first upload makes the directory, with those above it", async (t) => {
  const site = makeSite(t, { uploadDir: "a/b/c" });
  const begun = await new UploadStore(site).begin(undefined, milliseconds(0));
  assert.ok(begun.kind === "begun");
  assert.equal(begun.upload.directory, `${site.root.path}/a/b/c`);
  await begun.upload.discard();
});

test("a directory that must not be read is reported", { skip: permissionsDoNotBind }, async (t) => {
  const site = makeSite(t);
  mkdirSync(`${site.root.path}/uploads`, { mode: 0o300 });
  assert.match((await prepare(site)).join(), /EACCES/);
  chmodSync(`${site.root.path}/uploads`, 0o700);
});

// ---- with a sandbox

/** @returns the site, and what was reported */
function confinedSite(t: TestContext, storable: readonly string[], changes: Partial<SiteRules> = {}) {
  const top = makeTree(t, { "root/uploads/": "", "elsewhere/": "" });
  const reports: string[] = [];
  const reach: Reach = {
    reads: () => true,
    stores: (path) => storable.includes(path.slice(top.length + 1)),
    report: (place) => reports.push(place.slice(top.length + 1)),
  };
  const path = absolutePath(`${top}/root`);
  const root = new DocumentRoot({ path, turn: new EventLoopTurn(), descriptorPaths: "realpath", reach });
  const site: Site = { name: "main", root, rules: siteRules({ upload: "/upload", uploadDir: "uploads", ...changes }) };
  return { top, site, reports, store: new UploadStore(site) };
}

const confined: [
  name: string,
  storable: readonly string[],
  setUp: (top: string) => void,
  reports: readonly string[],
][] = [
  ["a directory that may be written to", ["root/uploads"], () => undefined, []],
  ["one that was made again", [], () => undefined, ["root/uploads"]],
  [
    "one that is missing and must not be made",
    [],
    (top) => rmSync(`${top}/root/uploads`, { recursive: true }),
    ["root/uploads"],
  ],
  [
    "one that is missing and may be made",
    ["root/uploads"],
    (top) => rmSync(`${top}/root/uploads`, { recursive: true }),
    [],
  ],
  [
    "a link to one that may be written to",
    ["elsewhere"],
    (top) => {
      rmSync(`${top}/root/uploads`, { recursive: true });
      symlinkSync("../elsewhere", `${top}/root/uploads`);
    },
    [],
  ],
];
for (const [name, storable, change, want] of confined) {
  test(`in a sandbox: ${name}: ${want.length === 0 ? "used" : "reported"}`, async (t) => {
    const { top, store, reports } = confinedSite(t, storable);
    change(top);
    assert.equal(await store.isWithinReach(), want.length === 0);
    const begun = await store.begin(undefined, milliseconds(0));
    assert.equal(begun.kind, want.length === 0 ? "begun" : "unavailable");
    assert.deepEqual([...new Set(reports)], want);
    if (begun.kind === "begun") await begun.upload.discard();
  });
}

test("in a sandbox: nothing is stored below a former document root", async (t) => {
  const top = makeTree(t, { "v1/uploads/": "", "v2/uploads/": "", docbase: { link: "v1" } });
  const reach = { reads: (path: string) => path.endsWith("/v1"), stores: () => true, report: () => undefined };
  const turn = { number: 0, current: () => turn.number };
  const path = absolutePath(`${top}/docbase`);
  const root = new DocumentRoot({ path, turn, descriptorPaths: "realpath", reach });
  const rules = siteRules({ upload: "/upload", uploadDir: "uploads" });
  const store = new UploadStore({ name: "main", root, rules });
  const begun = await store.begin(undefined, milliseconds(0));
  assert.ok(begun.kind === "begun");
  await begun.upload.discard();
  rmSync(path);
  symlinkSync("v2", path);
  turn.number += 1;
  assert.equal(root.state().kind, "former");
  assert.equal((await store.begin(undefined, milliseconds(0))).kind, "unavailable");
});

// ---- litter

/** Of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

const DAY = 24 * 3600;
const leftovers: [name: string, file: () => string, age: number, isLitter: boolean][] = [
  ["of a process that is gone", () => formatTemporaryName(deadPid(), "ab"), 0, true],
  ["of this process's number, from before it", () => formatTemporaryName(process.pid, "ab"), 0, true],
  ["of a process that runs", () => formatTemporaryName(process.ppid, "ab"), 0, false],
  ["of a process that runs, two days old", () => formatTemporaryName(process.ppid, "ab"), 2 * DAY, true],
  ["a stored upload", () => "upload_20240315_123456_a7b9.json", 2 * DAY, false],
  ["a file of somebody else's", () => ".upload-notes.part", 2 * DAY, false],
];
for (const [name, file, age, isLitter] of leftovers) {
  test(`at start ${isLitter ? "removed" : "kept"}: ${name}`, async (t) => {
    const site = makeSite(t);
    const path = `${site.root.path}/uploads/${file()}`;
    mkdirSync(`${site.root.path}/uploads`);
    writeFileSync(path, "[1,");
    const time = Date.now() / 1000 - age;
    utimesSync(path, time, time);
    assert.deepEqual(await prepare(site), []);
    assert.equal(existsSync(path), !isLitter);
  });
}

test("a file of a zombie is kept at start, and removed once the zombie is reaped; this process's own stays", async (t) => {
  const site = makeSite(t);
  const sites = { main: site, named: new Map(), directories: undefined, defaultHost: undefined };
  // The second program of the shell's process does not know that it has a child, so it does not reap it.
  const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => parent.kill("SIGKILL"));
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const zombie = Number(said);
  await until("it is a zombie", () => /^State:\s+Z/m.test(readFileSync(`/proc/${zombie}/status`, "latin1")));
  mkdirSync(`${site.root.path}/uploads`);
  const litter = `${site.root.path}/uploads/${formatTemporaryName(zombie, "ab")}`;
  writeFileSync(litter, "[1,");
  assert.equal(await prepareUploads(sites, assert.fail), true);
  assert.ok(existsSync(litter));

  const own = `${site.root.path}/uploads/${formatTemporaryName(process.pid, "ab")}`;
  writeFileSync(own, "[1,");
  parent.kill("SIGKILL");
  await until("the zombie is reaped", () => !isProcessAlive(zombie));
  await clearUploadsAgain(sites);
  assert.ok(!existsSync(litter));
  assert.ok(existsSync(own));
});

test("nothing is left: no second look", async (t) => {
  const site = makeSite(t);
  mkdirSync(`${site.root.path}/uploads`);
  writeFileSync(`${site.root.path}/uploads/${formatTemporaryName(deadPid(), "ab")}`, "[1,");
  const sites = { main: site, named: new Map(), directories: undefined, defaultHost: undefined };
  assert.equal(await prepareUploads(sites, assert.fail), false);
});

test("litter is removed where a link leads, and a link is not followed out of there", async (t) => {
  const site = makeSite(t);
  const top = makeTree(t, { "real/": "", victim: "x" });
  symlinkSync(`${top}/real`, `${site.root.path}/uploads`);
  symlinkSync(`${top}/victim`, `${top}/real/${formatTemporaryName(deadPid(), "ab")}`);
  assert.deepEqual(await prepare(site), []);
  assert.deepEqual(readdirSync(`${top}/real`), []);
  assert.ok(existsSync(`${top}/victim`));
});

test("hosts by directory are cleared too, and nothing is made in any directory", async (t) => {
  const litter = formatTemporaryName(deadPid(), "ab");
  const top = makeTree(t, { [`a.test/uploads/${litter}`]: "[1,", "pictures/": "" });
  const turn = new EventLoopTurn();
  const main = siteAt(top, turn, { upload: "/upload" });
  const directories = new HostDirectories(main.root, main.rules, turn);
  await prepareUploads({ main, named: new Map(), directories, defaultHost: undefined }, assert.fail);
  assert.deepEqual(readdirSync(top).sort(), ["a.test", "pictures"]);
  assert.deepEqual(readdirSync(`${top}/a.test/uploads`), []);
  assert.deepEqual(readdirSync(`${top}/pictures`), []);
});

// ---- one upload

test("a temporary file is its process's alone", async (t) => {
  const site = makeSite(t);
  const begun = await new UploadStore(site).begin(undefined, milliseconds(0));
  assert.ok(begun.kind === "begun");
  const [name = "", ...others] = readdirSync(`${site.root.path}/uploads`);
  assert.deepEqual(others, []);
  assert.match(name, new RegExp(`^\\.upload-${process.pid}-[0-9a-f]{16}\\.part$`));
  assert.equal(statSync(begun.upload.path).mode & 0o777, 0o600);
  await begun.upload.discard();
  assert.deepEqual(readdirSync(`${site.root.path}/uploads`), []);
});

test("more than the disk has is refused before it is sent", async (t) => {
  const store = new UploadStore(makeSite(t));
  assert.equal((await store.begin(bytes(2 ** 52), milliseconds(0))).kind, "no-space");
});

// ---- the path

const paths: [name: string, upload: string | undefined, path: string, want: boolean][] = [
  ["itself", "/upload", "/upload", true],
  ["another spelling", "/upload", "//./%75ploa%64", true],
  ["a final slash", "/upload", "/upload/", false],
  ["another case", "/upload", "/Upload", false],
  ["below it", "/upload", "/upload/x", false],
  ["above it", "/api/upload", "/api", false],
  ["longer", "/upload", "/uploads", false],
  ["written with escapes", "/my%20upload", "/my%20upload", true],
  ["climbing to it", "/upload", "/x/../upload", false],
  ["a bad escape", "/upload", "/upload%", false],
  ["asterisk", "/upload", "*", false],
  ["no uploads", undefined, "/upload", false],
];
for (const [name, upload, path, want] of paths) {
  test(`takesUploads: ${name}`, () => assert.equal(takesUploads(siteRules({ upload }), path), want));
}
