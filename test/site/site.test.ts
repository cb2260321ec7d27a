import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import type { Site } from "../../src/site/site.ts";
import { chooseSite, formatHostCheck, type SiteDirectories, type Sites } from "../../src/site/site.ts";
import { siteRules } from "../support/site-rules.ts";

const root = new DocumentRoot({
  path: absolutePath("/srv"),
  turn: { current: () => 0 },
  descriptorPaths: "realpath",
});

function site(name: string, ...hosts: string[]): Site {
  return { name, root, rules: siteRules({ hosts }) };
}

/** Directories in memory, which remembers what was looked for. */
class FakeDirectories implements SiteDirectories {
  readonly lookedFor: string[] = [];
  readonly #names: readonly string[];
  constructor(...names: string[]) {
    this.#names = names;
  }
  find(name: string): Site | undefined {
    this.lookedFor.push(name);
    return this.#names.includes(name) ? site(`directory ${name}`) : undefined;
  }
  names(): readonly string[] {
    return this.#names;
  }
}

function sitesOf(parts: Partial<Sites> = {}): Sites {
  return { main: site("main"), named: new Map(), directories: undefined, defaultHost: undefined, ...parts };
}

function named(...list: Site[]): Map<string, Site> {
  return new Map(list.map((one) => [one.name, one]));
}

/** The choice in one word: a site's name, or the status. */
function choose(sites: Sites, host: string | undefined): string {
  const choice = chooseSite(sites, host === undefined ? undefined : { name: host, port: undefined });
  if (choice.kind === "site") return choice.site.name;
  return choice.nearest === undefined ? `${choice.status}` : `${choice.status}, nearest ${choice.nearest}`;
}

const plain = sitesOf();
const withNamed = sitesOf({ named: named(site("wiki.example")) });
const virthost = sitesOf({
  named: named(site("wiki.example")),
  directories: new FakeDirectories("a.example", "wiki.example"),
});
const defaultDirectory = sitesOf({
  directories: new FakeDirectories("a.example", "b.example"),
  defaultHost: "b.example",
});
const defaultNamed = sitesOf({
  named: named(site("wiki.example", "other.example")),
  directories: new FakeDirectories(),
  defaultHost: "wiki.example",
});
const defaultGone = sitesOf({ directories: new FakeDirectories("a.example"), defaultHost: "gone" });
const defaultWithoutVirthost = sitesOf({ named: named(site("wiki.example")), defaultHost: "wiki.example" });
const listed = sitesOf({ main: site("main", "localhost", "[::1]"), named: named(site("wiki.example", "localhost")) });
const listedVirthost = sitesOf({
  main: site("main", "a.example"),
  directories: new FakeDirectories("a.example", "b.example"),
  defaultHost: "a.example",
});

const cases: [name: string, sites: Sites, host: string | undefined, want: string][] = [
  ["the main site answers every host", plain, "anything", "main"],
  ["the main site answers no host", plain, undefined, "main"],
  ["a named site answers its own name", withNamed, "wiki.example", "wiki.example"],
  ["names are matched whole", withNamed, "x.wiki.example", "main"],
  ["a host that is no property of an object by accident", withNamed, "constructor", "main"],
  ["virthost: a directory", virthost, "a.example", "directory a.example"],
  ["virthost: a named site comes before the directory of that name", virthost, "wiki.example", "wiki.example"],
  ["virthost: unknown, with the nearest directory", virthost, "aa.example", "404, nearest a.example"],
  ["virthost: unknown, with the nearest named site", virthost, "wikki.example", "404, nearest wiki.example"],
  ["virthost: unknown, nothing near", virthost, "z", "404"],
  ["virthost: no host", virthost, undefined, "404"],
  ["default-host: for an unknown host", defaultDirectory, "z", "directory b.example"],
  ["default-host: for no host", defaultDirectory, undefined, "directory b.example"],
  ["default-host: not where the host has a directory", defaultDirectory, "a.example", "directory a.example"],
  ["default-host: a named site keeps its own list", defaultNamed, "z", "403"],
  ["default-host: a named site's list allows", defaultNamed, "other.example", "wiki.example"],
  ["default-host: no longer there", defaultGone, "z", "404"],
  ["default-host: a named site, without virthost", defaultWithoutVirthost, "z", "wiki.example"],
  ["hosts: one of them", listed, "localhost", "main"],
  ["hosts: an IPv6 address", listed, "[::1]", "main"],
  ["hosts: another", listed, "evil.example", "403"],
  ["hosts: no host", listed, undefined, "403"],
  ["hosts: a named site needs no list for its own name", listed, "wiki.example", "wiki.example"],
  ["hosts: a directory that is on the list", listedVirthost, "a.example", "directory a.example"],
  ["hosts: a directory that is not", listedVirthost, "b.example", "403"],
  ["hosts: default-host does not soften the list", listedVirthost, "z", "403"],
  ["hosts: nor for no host", listedVirthost, undefined, "403"],
];
for (const [name, sites, host, want] of cases) {
  test(`chooseSite: ${name}`, () => assert.equal(choose(sites, host), want));
}

const checks: [name: string, host: string | undefined, want: string][] = [
  ["a host that is answered", "localhost", "host check ✓ localhost"],
  ["a host that is not", "evil.example", "host check ✗ evil.example"],
  ["no host", undefined, "host check ✗ (none)"],
];
for (const [name, text, want] of checks) {
  test(`formatHostCheck: ${name}`, () => {
    const host = text === undefined ? undefined : { name: text, port: undefined };
    assert.equal(formatHostCheck(chooseSite(listed, host), host), want);
  });
}

test("chooseSite: no look at the disk for a host that is not on the list", () => {
  const directories = new FakeDirectories("a.example");
  choose(sitesOf({ main: site("main", "a.example"), directories }), "b.example");
  assert.deepEqual(directories.lookedFor, []);
});
