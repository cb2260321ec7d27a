import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);

interface ManualPages {
  readonly PAGES: readonly string[];
  framePage(file: string, page: string): string;
}

const { PAGES, framePage }: ManualPages = await import(new URL("scripts/manual-pages.js", ROOT).href);
const readPage = (file: string): string => readFileSync(new URL(`htdocs/${file}`, ROOT), "utf8");

test("what scripts/manual.js writes is up to date (node scripts/manual.js)", () => {
  const script = fileURLToPath(new URL("scripts/manual.js", ROOT));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "check"], { encoding: "utf8" });
  assert.deepEqual([stdout, stderr, status], ["", "", 0]);
});

test("every page of the manual has its row", () => {
  const pages = readdirSync(new URL("htdocs/", ROOT)).filter((name) => name.endsWith(".html"));
  assert.deepEqual([...PAGES].sort(), pages.sort());
});

const changes: [name: string, file: string, now: string, other: string][] = [
  ["the head", "tls.html", '<link rel="stylesheet" href="style.css">', '<link rel="stylesheet" href="other.css">'],
  ["the navigation", "tls.html", '<li><a href="logs.html">Logs</a></li>', ""],
  ["which page this is", "tls.html", '<a href="tls.html" aria-current="page">', '<a href="tls.html">'],
  ["the contents", "http.html", '<li><a href="#ranges">Parts of a file</a></li>', '<li><a href="#r">Ranges</a></li>'],
  ["the foot", "404.html", '<footer class="foot">', "<footer>"],
];
for (const [name, file, now, other] of changes) {
  test(`framePage mends ${name}`, () => {
    const page = readPage(file);
    const changed = page.replace(now, other);
    assert.notEqual(changed, page);
    assert.equal(framePage(file, changed), page);
  });
}

test("framePage: a new heading is listed under On this page", () => {
  const page = readPage("http.html").replace('<h2 id="limits">', '<h2 id="new">News</h2>\n<h2 id="limits">');
  assert.match(framePage("http.html", page), /<li><a href="#new">News<\/a><\/li>\n +<li><a href="#limits">/);
});

test("framePage keeps title, description and text of a page", () => {
  const page = readPage("logs.html")
    .replace("Logs · Comanche", "Records · Comanche")
    .replace("<h1>Logs", "<h1>Records");
  assert.equal(framePage("logs.html", page), page);
});
