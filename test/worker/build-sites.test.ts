import assert from "node:assert/strict";
import { chmodSync, rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { StartupError } from "../../src/base/errors.ts";
import { chooseSite } from "../../src/site/site.ts";
import { buildSites } from "../../src/worker/build-sites.ts";
import { linkTo, makeTree } from "../support/file-tree.ts";
import { asOrdinaryUser, HandTurn } from "../support/served-site.ts";
import { settingsFrom } from "../support/settings-from.ts";

const ENTRIES = {
  "htdocs/a.test/": "",
  "htdocs/wiki.test/": "",
  "other/": "",
  file: "not a directory",
  link: linkTo("htdocs"),
  dangling: linkTo("nowhere"),
  loop: linkTo("loop"),
};

function build(t: TestContext, configuration: string) {
  const top = makeTree(t, ENTRIES);
  const turn = new HandTurn();
  return { top, turn, sites: buildSites(settingsFrom(top, configuration), turn) };
}

function siteNameFor({ sites }: ReturnType<typeof build>, name: string): string {
  const choice = chooseSite(sites, { name, port: undefined });
  return choice.kind === "site" ? choice.site.name : `${choice.status}`;
}

test("buildSites: without virthost the main site answers all", (t) => {
  const built = build(t, "[main]\ndocbase = htdocs");
  assert.equal(built.sites.main.root.realPath(), `${built.top}/htdocs`);
  assert.equal(siteNameFor(built, "a.test"), "main");
  assert.equal(built.sites.directories, undefined);
});

test("buildSites: a document root may be reached through a link", (t) => {
  const built = build(t, "[main]\ndocbase = link");
  assert.equal(built.sites.main.root.realPath(), `${built.top}/htdocs`);
});

test("buildSites: virtual hosts by directory, by section, and the default", (t) => {
  const built = build(t, "[main]\nvirthost = yes\ndefault-host = wiki.test\n[Virtual host wiki.test]\nlisting = no");
  assert.equal(siteNameFor(built, "a.test"), "a.test");
  assert.equal(siteNameFor(built, "wiki.test"), "wiki.test");
  assert.equal(siteNameFor(built, "unknown.test"), "wiki.test");
  assert.equal(built.sites.named.get("wiki.test")?.rules.listing, false);
  assert.equal(built.sites.named.get("wiki.test")?.root.realPath(), `${built.top}/htdocs/wiki.test`);
});

test("buildSites: a virtual host with a docbase of its own, without virthost", (t) => {
  const built = build(t, "[Virtual host wiki.test]\ndocbase = other");
  assert.equal(built.sites.named.get("wiki.test")?.root.realPath(), `${built.top}/other`);
  assert.equal(siteNameFor(built, "a.test"), "main");
});

test("buildSites: roots share the turn that they are given", (t) => {
  const { top, turn, sites } = build(t, "[main]\nvirthost = yes");
  assert.ok(sites.directories?.find("a.test"));
  rmSync(`${top}/htdocs/a.test`, { recursive: true });
  assert.ok(sites.directories?.find("a.test"));
  turn.next();
  assert.equal(sites.directories?.find("a.test"), undefined);
});

const faults: [name: string, docbase: string, want: (top: AbsolutePath) => string][] = [
  ["missing", "missing", (top) => `cannot serve docbase ${top}/missing: there is no such directory; name one with -b`],
  [
    "a dangling link",
    "dangling",
    (top) => `cannot serve docbase ${top}/dangling: there is no such directory; name one with -b`,
  ],
  ["a file", "file", (top) => `docbase ${top}/file is not a directory`],
  ["below a file", "file/x", (top) => `cannot serve docbase ${top}/file/x: not a directory`],
  ["a loop of links", "loop", (top) => `cannot serve docbase ${top}/loop: too many symbolic links encountered`],
];
for (const [name, docbase, want] of faults) {
  for (const section of ["[main]", "[Virtual host wiki.test]"]) {
    test(`buildSites: a document root that cannot be served: ${name}, in ${section}`, (t) => {
      const top = makeTree(t, ENTRIES);
      const settings = settingsFrom(top, `${section}\ndocbase = ${docbase}`);
      assert.throws(
        () => buildSites(settings, new HandTurn()),
        (error) => error instanceof StartupError && error.message === want(top),
      );
    });
  }
}

test("buildSites: a document root that the server's user may not enter", (t) => {
  const top = makeTree(t, ENTRIES);
  chmodSync(`${top}/htdocs`, 0o600);
  const settings = settingsFrom(top, "");
  const message = `cannot serve docbase ${top}/htdocs: permission denied; the server's user must be able to enter it`;
  assert.throws(() => asOrdinaryUser(top, () => buildSites(settings, new HandTurn())), { message });
  chmodSync(`${top}/htdocs`, 0o755);
});

test("buildSites: a document root that may be entered and not read can be served", (t) => {
  const top = makeTree(t, ENTRIES);
  chmodSync(`${top}/htdocs`, 0o311);
  const settings = settingsFrom(top, "");
  assert.ok(asOrdinaryUser(top, () => buildSites(settings, new HandTurn())));
  chmodSync(`${top}/htdocs`, 0o755);
});
