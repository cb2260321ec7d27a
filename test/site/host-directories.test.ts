import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { HostDirectories } from "../../src/site/host-directories.ts";
import { addToTree, DIRECTORY, type Entry, linkTo, makeTree } from "../support/file-tree.ts";
import { siteRules } from "../support/site-rules.ts";

function setUp(t: TestContext, entries: Readonly<Record<string, Entry>>) {
  const top = makeTree(t, { "docbase/": DIRECTORY });
  addToTree(`${top}/docbase`, entries);
  const turn = {
    number: 0,
    current(): number {
      return this.number;
    },
  };
  const docbase = new DocumentRoot({ path: top, turn, descriptorPaths: "realpath" }).child("docbase", "inside");
  return { top, turn, directories: new HostDirectories(docbase, siteRules(), turn) };
}

test("HostDirectories: a directory is a site", (t) => {
  const { top, directories } = setUp(t, { "a.example/index.html": "a", "[::1]/index.html": "b" });
  const site = directories.find("a.example");
  assert.equal(site?.name, "a.example");
  assert.equal(site?.root.realPath(), `${top}/docbase/a.example`);
  assert.equal(directories.find("[::1]")?.root.realPath(), `${top}/docbase/[::1]`);
});

const refused: [name: string, host: string][] = [
  ["nothing", "nothing"],
  ["a file", "file"],
  ["a link to the outside", "escape"],
  ["a link to a file inside", "file-link"],
  ["a dangling link", "dangling"],
  ["a dot", "."],
  ["two dots", ".."],
  ["a hidden directory", ".hidden"],
  ["the empty name", ""],
  ["a path", "a.example/sub"],
  ["a path upwards", "a.example/.."],
  ["an absolute path", "/etc"],
  ["NUL", "a.example\0"],
  ["a percent sign", "a%2e"],
  ["a backslash", "a\\b"],
  ["a name over 253 bytes", "x".repeat(254)],
  ["a directory's name in another case", "A.EXAMPLE"],
];
for (const [name, host] of refused) {
  test(`HostDirectories: no site for ${name}`, (t) => {
    const { directories } = setUp(t, {
      "a.example/sub/": DIRECTORY,
      ".hidden/": DIRECTORY,
      file: "x",
      "file-link": linkTo("file"),
      escape: linkTo(".."),
      dangling: linkTo("gone"),
    });
    assert.equal(directories.find(host), undefined);
  });
}

test("HostDirectories: the same site again, and gone when its directory is", (t) => {
  const { top, turn, directories } = setUp(t, { "a/": DIRECTORY });
  const site = directories.find("a");
  assert.notEqual(site, undefined);
  turn.number++;
  assert.equal(directories.find("a"), site);

  rmSync(`${top}/docbase/a`, { recursive: true });
  turn.number++;
  assert.equal(directories.find("a"), undefined);

  mkdirSync(`${top}/docbase/a`);
  turn.number++;
  assert.equal(directories.find("a")?.root.realPath(), `${top}/docbase/a`);
});

test("HostDirectories: a site that was found is not found again once it leads outside", (t) => {
  const { top, turn, directories } = setUp(t, { "a/": DIRECTORY });
  assert.notEqual(directories.find("a"), undefined);
  renameSync(`${top}/docbase/a`, `${top}/a`);
  addToTree(`${top}/docbase`, { a: linkTo("../a") });
  turn.number++;
  assert.equal(directories.find("a"), undefined);
});

test("HostDirectories: a new directory is a site at once, in the same turn", (t) => {
  const { top, directories } = setUp(t, {});
  assert.equal(directories.find("new"), undefined);
  mkdirSync(`${top}/docbase/new`);
  assert.equal(directories.find("new")?.name, "new");
});

test("HostDirectories: more sites than are remembered are all found", (t) => {
  const count = 1100;
  const names = Array.from({ length: count }, (_, i) => `host${i}`);
  const { directories } = setUp(t, Object.fromEntries(names.map((name) => [`${name}/`, DIRECTORY])));
  const first = directories.find("host0");
  for (const name of names) assert.equal(directories.find(name)?.name, name);
  assert.notEqual(directories.find("host0"), first);
  assert.equal(directories.find("host0")?.name, "host0");
});

test("HostDirectories: names for a hint, once in a turn", (t) => {
  const { turn, directories } = setUp(t, {
    "a/": DIRECTORY,
    b: linkTo("a"),
    ".git/": DIRECTORY,
    "no host/": DIRECTORY,
    file: "",
  });
  assert.deepEqual([...directories.names()].sort(), ["a", "b"]);
  assert.deepEqual(directories.names(), []);
  turn.number++;
  assert.equal(directories.names().length, 2);
});

test("HostDirectories: of many names some", (t) => {
  const { directories } = setUp(t, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`h${i}/`, DIRECTORY])));
  assert.equal(directories.names().length, 200);
});

test("HostDirectories: no names when the docbase is gone", (t) => {
  const { top, directories } = setUp(t, {});
  rmSync(`${top}/docbase`, { recursive: true });
  assert.deepEqual(directories.names(), []);
});

test("HostDirectories: while the docbase is out of the sandbox's reach, each host has a site that says so", (t) => {
  const top = makeTree(t, { "docbase/a.example/": DIRECTORY });
  const reach = { reads: () => false, stores: () => false, report: () => undefined };
  const turn = { current: () => 0 };
  const docbase = new DocumentRoot({ path: top, turn, descriptorPaths: "realpath", reach });
  const directories = new HostDirectories(docbase, siteRules(), turn);
  for (const name of ["a.example", "b.example"]) {
    assert.equal(directories.find(name)?.root.state().kind, "out-of-reach");
  }
  assert.equal(directories.find("not a host"), undefined);
});
