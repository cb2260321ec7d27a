import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { formatHelp } from "../../src/config/help.ts";
import { loadSettings } from "../../src/config/load.ts";
import {
  formatConf,
  formatHtmlTable,
  formatMarkdownTable,
  formatTerminatorTable,
  insertTable,
} from "../../src/config/manual.ts";
import { allOptions } from "../../src/config/options.ts";
import type { Settings } from "../../src/config/settings.ts";
import { STUD_OPTIONS, TERMINATOR_KEYS } from "../../src/config/terminator-options.ts";
import { fakeDisk, settingsOf } from "./fake-disk.ts";

const conf = formatConf();
const file = "/home/me/conf/comanche.conf";

/** The settings from `text` as the shipped file, with `htdocs` where it is shipped. */
function loadShipped(text: string | undefined): Settings {
  const disk = fakeDisk({ files: text === undefined ? {} : { [file]: text }, folders: ["/home/me/htdocs"] });
  const cwd = absolutePath("/home/me");
  return settingsOf(loadSettings({ layer: new Map(), cwd, starter: { isRoot: false }, disk }));
}

/** Values alone: where they come from differs, of course. */
function valuesOf({ server, main }: Settings): unknown {
  return { server, main };
}

test("conf/comanche.conf is what is generated (node scripts/manual.js)", () => {
  assert.equal(readFileSync(new URL("../../../conf/comanche.conf", import.meta.url), "utf8"), conf);
});

test("the shipped file, as it is, changes nothing", () => {
  const shipped = loadShipped(conf);
  assert.equal(shipped.configFile, file);
  assert.deepEqual(valuesOf(shipped), valuesOf(loadShipped(undefined)));
  assert.ok([...shipped.sources.values()].every((source) => source === "built in"));
});

test("the shipped file with every option switched on changes nothing either", () => {
  const switchedOn = loadShipped(conf.replace(/^;/gm, ""));
  assert.deepEqual(valuesOf(switchedOn), valuesOf(loadShipped(undefined)));
  assert.ok([...switchedOn.sources.values()].every((source) => source.startsWith("conf/comanche.conf:")));
});

test("the shipped file has a line for each option, and fits a terminal", () => {
  const switchedOff = conf.split("\n").flatMap((line) => /^;(\S+) =/.exec(line)?.[1] ?? []);
  assert.deepEqual(
    switchedOff,
    allOptions.map(({ key }) => key),
  );
  for (const line of conf.split("\n")) assert.ok(line.length <= 100, line);
});

test("the help fits a terminal of 80 columns", () => {
  for (const line of formatHelp().split("\n")) assert.ok(line.length <= 80, line);
});

test("options that share an explanation share a row of the help", () => {
  assert.match(formatHelp(), /--error-400 … --error-507 PATH/);
  assert.doesNotMatch(formatHelp(), /--error-404 PATH/);
});

test("the Markdown table: three cells a row, and no bar inside one", () => {
  const rows = formatMarkdownTable().split("\n");
  assert.deepEqual(rows.slice(0, 2), ["| option | default | meaning |", "|---|---|---|"]);
  for (const row of rows) assert.match(row, /^\|([^|]*\|){3}$/);
  assert.ok(
    rows.includes("| `--max-target` | 8k | maximum length of the request line; a longer one is answered 414 |"),
  );
});

test("the HTML table has the same rows", () => {
  const rows = formatHtmlTable()
    .split("\n")
    .filter((line) => line.startsWith("<tr><td>"));
  const ofMarkdown = formatMarkdownTable()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  assert.equal(rows.length, ofMarkdown.length);
  assert.ok(rows.some((row) => row.startsWith("<tr><td><code>--max-target</code></td><td>8k</td><td>maximum")));
});

const tables: [page: string, table: string][] = [
  ["options.html", formatHtmlTable()],
  ["terminator.html", formatTerminatorTable()],
];
for (const [name, table] of tables) {
  test(`htdocs/${name} has the table that is generated (node scripts/manual.js)`, () => {
    const page = readFileSync(new URL(`../../../htdocs/${name}`, import.meta.url), "utf8");
    assert.equal(insertTable(page, table), page);
  });
}

test("the table of terminators has every key of a section, and every option that only stud had", () => {
  const table = formatTerminatorTable();
  const flags = [...TERMINATOR_KEYS].filter((key) => key !== "pem");
  const former = STUD_OPTIONS.flatMap(({ keys }) => keys);
  for (const key of [...flags, ...former]) assert.ok(table.includes(`<code>--${key}</code>`), key);
  assert.ok(table.includes("<code>PEM…</code>"));
});

test("conf/tls.conf is understood, and its terminators are once they are switched on", () => {
  const text = readFileSync(new URL("../../../conf/tls.conf", import.meta.url), "utf8");
  const [sites = "", terminators = ""] = text.split(/^(?=# TLS for other servers)/m);
  const switchedOn = loadShipped(sites + terminators.replace(/^;/gm, "")).terminators;
  assert.deepEqual([...loadShipped(text).terminators], []);
  assert.deepEqual([...switchedOn.keys()], ["app", "outward"]);
  assert.equal(switchedOn.get("app")?.pemFiles.length, 2);
  assert.equal(switchedOn.get("outward")?.client, true);
});

const insertions: [name: string, page: string, want: string | undefined][] = [
  [
    "between the markers",
    "a\n<!-- options -->\nold\n<!-- /options -->\nb\n",
    "a\n<!-- options -->\nTABLE\n<!-- /options -->\nb\n",
  ],
  ["where there was nothing", "<!-- options --><!-- /options -->", "<!-- options -->\nTABLE\n<!-- /options -->"],
  ["no markers", "a", undefined],
  ["only the first", "<!-- options -->", undefined],
  ["the wrong way round", "<!-- /options -->\n<!-- options -->", undefined],
];
for (const [name, page, want] of insertions) {
  test(`insertTable: ${name}`, () => assert.equal(insertTable(page, "TABLE"), want));
}

test("insertTable: a second time changes nothing", () => {
  const once = insertTable("<!-- options -->\n<!-- /options -->", "TABLE") ?? "";
  assert.equal(insertTable(once, "TABLE"), once);
});
