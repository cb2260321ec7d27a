import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeTree } from "../support/file-tree.ts";

const SCRIPT = fileURLToPath(new URL("../../../scripts/check-layers.js", import.meta.url));

const LAYERS = {
  base: { imports: [], types: [], node: [], packages: [] },
  wire: { imports: ["base"], types: [], node: ["buffer"], packages: ["ini"], only: { fs: ["disk.ts"] } },
  room: { imports: ["base"], types: ["wire"], node: [], packages: [] },
  "": { imports: ["room"], types: [], node: [], packages: [] },
};

/** Uses every allowance of LAYERS, and breaks none. */
const CLEAN = {
  "main.ts": 'import { serve } from "./room/serve.ts";',
  "base/units.ts": "export const second = 1000;",
  "wire/parse.ts": 'import { Buffer } from "node:buffer";\nimport { second } from "../base/units.ts";',
  "wire/disk.ts": 'import { readFileSync } from "node:fs";\nimport { parse } from "ini";',
  "room/serve.ts": 'import { second } from "../base/units.ts";\nimport type { Parse } from "../wire/parse.ts";',
};

const cases: [name: string, change: Readonly<Record<string, string>>, want: string][] = [
  ["every import is allowed, every allowance is used", {}, ""],
  [
    "an import against the direction",
    { "base/clock.ts": 'import { parse } from "../wire/parse.ts";' },
    "base/clock.ts: base must not import ../wire/parse.ts",
  ],
  [
    "a value where only types are allowed",
    { "room/read.ts": 'import { parse } from "../wire/parse.ts";' },
    "room/read.ts: room must not import ../wire/parse.ts but as a type",
  ],
  [
    "an import over several lines",
    { "base/clock.ts": 'import {\n  one,\n  two,\n} from "../room/serve.ts";' },
    "base/clock.ts: base must not import ../room/serve.ts",
  ],
  [
    "an export from elsewhere",
    { "base/clock.ts": 'export { serve } from "../room/serve.ts";' },
    "base/clock.ts: base must not import ../room/serve.ts",
  ],
  [
    "a dynamic import",
    { "base/clock.ts": 'export const later = () => import("../room/serve.ts");' },
    "base/clock.ts: base must not import ../room/serve.ts",
  ],
  ["a module of Node", { "room/read.ts": 'import { open } from "node:fs/promises";' }, "room/read.ts: node:fs"],
  [
    "a module of Node that only one file may use",
    { "wire/read.ts": 'import { open } from "node:fs";' },
    "wire/read.ts: node:fs",
  ],
  [
    "node:http",
    { "room/read.ts": 'import { get } from "node:http";' },
    "room/read.ts: node:http: the protocol is ours",
  ],
  ["a package", { "room/read.ts": 'import { parse } from "ini";' }, "room/read.ts: package ini"],
  [
    "a folder without a row",
    { "cellar/box.ts": 'import { second } from "../base/units.ts";' },
    "cellar/box.ts: the folder cellar has no row in scripts/check-layers.js",
  ],
  [
    "a circle of two files",
    { "base/a.ts": 'import { b } from "./b.ts";', "base/b.ts": 'import type { A } from "./a.ts";' },
    "a circle: base/a.ts ↔ base/b.ts",
  ],
  [
    "a circle closed by a dynamic import",
    { "base/a.ts": 'import { b } from "./b.ts";', "base/b.ts": 'export const later = () => import("./a.ts");' },
    "a circle: base/a.ts ↔ base/b.ts",
  ],
  [
    "an allowed folder that no file imports",
    { "room/serve.ts": 'import type { Parse } from "../wire/parse.ts";' },
    "TABLE: nothing uses room: imports base",
  ],
  [
    "an allowed package that no file imports",
    { "wire/disk.ts": 'import { readFileSync } from "node:fs";' },
    "TABLE: nothing uses wire: packages ini",
  ],
  [
    "an allowed module that its file does not import",
    { "wire/disk.ts": 'import { parse } from "ini";' },
    "TABLE: nothing uses wire: fs disk.ts",
  ],
];
for (const [name, change, want] of cases) {
  test(`check-layers: ${name}`, (t) => {
    const top = makeTree(t, { ...below("src", { ...CLEAN, ...change }), "layers.json": JSON.stringify(LAYERS) });
    const table = join(top, "layers.json");
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, join(top, "src"), table], { encoding: "utf8" });
    assert.equal(stderr.trimEnd(), want.replace("TABLE", table));
    assert.equal(status, want === "" ? 0 : 1);
  });
}

function below(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [join(folder, name), text]));
}
