import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Script } from "node:vm";
import fc from "fast-check";
import { bytes, unixMilliseconds } from "../../src/base/units.ts";
import { type Listing, type ListingEntry, makeEntry } from "../../src/tasks/listing.ts";
import { iconClass, LISTING_CSP, LISTING_SCRIPT } from "../../src/tasks/listing-assets.ts";
import { renderListingPage } from "../../src/tasks/listing-page.ts";

const at = unixMilliseconds(1710498600123);
const file = (name: string, size = 10): ListingEntry => makeEntry(name, "file", bytes(size), at);
const folder = (name: string): ListingEntry => makeEntry(name, "directory", bytes(0), at);
const files = (count: number): ListingEntry[] => Array.from({ length: count }, (_, index) => file(`f${index}`));

function render(changes: Partial<Listing> = {}): string {
  const listing: Listing = {
    segments: ["docs", "a b"],
    sort: { column: "name", order: "ascending" },
    entries: [folder("img"), file("a.txt", 1536)],
    notShown: 0,
    readme: undefined,
    ...changes,
  };
  return [...renderListingPage(listing)].join("");
}

const shows: [name: string, changes: Partial<Listing>, wanted: string][] = [
  ["a language", {}, '<html lang="en">'],
  ["the path as title, by which GDAL knows a listing", {}, "<title>Index of /docs/a b</title>"],
  ["the folder as heading", {}, '<h1 id="folder">a b</h1>'],
  ["breadcrumbs", {}, '<ol><li><a href="../../">Home</a></li><li><a href="../">docs</a></li></ol>'],
  ["the way up", {}, '<a class="up" href="../">Parent folder</a>'],
  ["a folder, its reference first, where GDAL looks for it", {}, '<tr><th scope=row><a href="img/" class=dir>img</a>'],
  [
    "a file, its time and its size",
    {},
    '<a href="a.txt" class=text>a.txt</a><td><time datetime=2024-03-15T10:30:00Z>2024-03-15 10:30</time><td title="1,536 bytes">1.5 KiB\n',
  ],
  ["a small size without a title", { entries: [file("x", 10)] }, "<td>10 B\n"],
  ["a summary", {}, '1 folder, 1 file, <span title="1,536 bytes">1.5 KiB</span>'],
  ["thousands", { entries: files(1200) }, "1,200 files, "],
  ["what is not shown", { notShown: 2 }, ">2 not shown<"],
  ["the current column", {}, '<th scope=col aria-sort=ascending><a href="?C=N&amp;O=D"'],
  ["newest first for the time", {}, '<th scope=col><a href="?C=M&amp;O=D"'],
  ["largest first for the size", {}, '<th scope=col><a href="?C=S&amp;O=D"'],
  [
    "the arrow the other way",
    { sort: { column: "size", order: "descending" } },
    '<th scope=col aria-sort=descending><a href="?C=S&amp;O=A"',
  ],
  ["the root", { segments: [] }, '<h1 id="folder">Home</h1>'],
  ["an empty folder", { entries: [] }, ">This folder is empty<"],
  [
    "a time no calendar knows",
    { entries: [makeEntry("x", "file", bytes(1), unixMilliseconds(9e18))] },
    "x</a><td><td>1 B",
  ],
  ["markup in a name as text", { entries: [file("<b>&\"'")] }, ">&lt;b&gt;&amp;&quot;&#39;</a>"],
  ["markup in the path as text", { segments: ["<i>"] }, "<title>Index of /&lt;i&gt;</title>"],
  ["a line end in a name", { entries: [file("a\nb")] }, '<a href="a%0Ab">a\ufffdb</a>'],
  ["a name that turns its end around", { entries: [file("a\u202egpj.exe")] }, ">a\ufffdgpj.exe</a>"],
  ["a filter box, for the script to show", { entries: files(8) }, '<p class="filter" hidden>'],
  [
    "a README",
    { readme: { name: "README", text: "\n<hello> & more", complete: true } },
    '<h2 id="readme"><a href="README">README</a></h2>\n<pre>\n\n&lt;hello&gt; &amp; more</pre>\n</section>',
  ],
  [
    "that a README goes on",
    { readme: { name: "README", text: "x", complete: false } },
    'The rest is in <a href="README">README</a>.',
  ],
];
for (const [name, changes, wanted] of shows) {
  test(`renderListingPage: shows ${name}`, () => {
    const page = render(changes);
    assert.ok(page.includes(wanted), page.slice(page.indexOf("<body>"), page.indexOf("<script>")));
  });
}

const leavesOut: [name: string, changes: Partial<Listing>, unwanted: RegExp][] = [
  ["a way up at the root", { segments: [] }, /\.\.\/|<nav/],
  ["a filter box where there is little to filter", { entries: files(7) }, /class="filter"/],
  ["columns without entries", { entries: [] }, /<thead>/],
  ["a README that is not there", {}, /class="readme"/],
  ["anything to fetch", {}, /(?:src|href)="?(?:https?:|\/)/],
  ["style attributes and handlers, which its policy forbids", {}, / style=| on[a-z]+=/],
];
for (const [name, changes, unwanted] of leavesOut) {
  test(`renderListingPage: leaves out ${name}`, () => assert.doesNotMatch(render(changes), unwanted));
}

test("renderListingPage: a long listing is one table in groups", () => {
  const page = render({ entries: files(1001) });
  assert.match(page, /<table [^>]*class="long">/);
  assert.equal(page.split('<tbody class="list">').length - 1, 5);
  assert.equal(page.split("<tr><th scope=row>").length - 1, 1001 + 1);
});

test("renderListingPage: no name can end its element or its attribute", () => {
  const name = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !/[/\0]/.test(text));
  const rows = (text: string) =>
    render({ entries: [file(text)] }).match(/<tbody class="list">[\s\S]*<\/tbody>/)?.[0] ?? "";
  fc.assert(
    fc.property(name, (text) => {
      const link =
        /^<tbody class="list">\n<tr><th scope=row><a href="[A-Za-z0-9\-_.!~*'()%]*"(?: class=[a-z]+)?>[^<>"]*<\/a><td>/;
      assert.match(rows(text), link);
    }),
  );
});

test("LISTING_CSP: names exactly the style and the script of the page", () => {
  const page = render({ readme: { name: "README", text: "</style><script>x</script>", complete: true } });
  for (const [element, directive] of [
    ["style", "style-src"],
    ["script", "script-src"],
  ] as const) {
    const contents = [...page.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, "g"))].map(
      (match) => match[1] ?? "",
    );
    assert.equal(contents.length, 1);
    const hash = createHash("sha256").update(contents.join("")).digest("base64");
    assert.ok(LISTING_CSP.includes(`${directive} 'sha256-${hash}'`));
  }
  assert.match(LISTING_CSP, /^default-src 'none'; /);
  assert.doesNotMatch(LISTING_CSP, /unsafe|\*|\n/);
});

test("LISTING_SCRIPT: is a script, and cannot end its element", () => {
  assert.doesNotThrow(() => new Script(LISTING_SCRIPT));
  assert.doesNotMatch(LISTING_SCRIPT, /<\/script|<!--/i);
});

const icons: [name: string, entry: Pick<ListingEntry, "name" | "kind">, want: string | undefined][] = [
  ["a folder, whatever its name", { name: "a.zip", kind: "directory" }, "dir"],
  ["an archive", { name: "a.tar.gz", kind: "file" }, "archive"],
  ["in upper case", { name: "PHOTO.JPG", kind: "file" }, "image"],
  ["no extension", { name: "LICENSE", kind: "file" }, undefined],
  ["an unknown extension", { name: "a.qqq", kind: "file" }, undefined],
  ["a name of Object's", { name: "a.constructor", kind: "file" }, undefined],
];
for (const [name, entry, want] of icons) {
  test(`iconClass: ${name}`, () => assert.equal(iconClass(entry), want));
}
