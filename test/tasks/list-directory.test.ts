import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type ListDirectoryInput, type ListDirectoryOutput, listDirectory } from "../../src/tasks/list-directory.ts";
import { LISTING_CSP } from "../../src/tasks/listing-assets.ts";

let top: string;
let root: string;

before(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "comanche-listing-")));
  root = join(top, "root");
  mkdirSync(root);
  writeFileSync(join(top, "secret.txt"), "secret");
  mkdirSync(join(top, "root-beside"));
});
after(() => rmSync(top, { recursive: true }));

/** A directory below the root with these files; a name that ends in a slash is a directory. */
function makeDirectory(name: string, names: readonly (string | Buffer)[]): string {
  const path = join(root, name);
  mkdirSync(path);
  for (const one of names) {
    if (typeof one === "string" && one.endsWith("/")) mkdirSync(join(path, one));
    else writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from(one)]), "x");
  }
  return path;
}

function run(directory: string, changes: Partial<ListDirectoryInput> = {}): ListDirectoryOutput {
  return listDirectory(inputFor(directory, changes));
}

function inputFor(directory: string, changes: Partial<ListDirectoryInput> = {}): ListDirectoryInput {
  return {
    directory: absolutePath(directory),
    isRealPath: false,
    root: absolutePath(root),
    segments: ["dir"],
    query: undefined,
    form: "json",
    dotfiles: false,
    symlinks: "inside",
    types: [],
    ...changes,
  };
}

function pageOf(directory: string, changes: Partial<ListDirectoryInput> = {}): string {
  const output = run(directory, { form: "html", ...changes });
  assert.equal(output.kind, "page");
  return Buffer.from(output.bytes).toString();
}

interface Shown {
  readonly notShown: number;
  readonly entries: readonly { name: string; type: string; size?: number; modified: string }[];
}

function read(directory: string, changes: Partial<ListDirectoryInput> = {}): Shown {
  return JSON.parse(pageOf(directory, { form: "json", ...changes })) as Shown;
}

function namesOf(directory: string, changes: Partial<ListDirectoryInput> = {}): string[] {
  return read(directory, changes).entries.map((entry) => entry.name);
}

test("listDirectory: one that is asked to stop does, in the middle of its names as well as of its page", () => {
  const path = makeDirectory(
    "stopped",
    Array.from({ length: 1100 }, (_, index) => `${index}.txt`),
  );
  const input = inputFor(path);
  let asked = 0;
  const whole = listDirectory(input, undefined, () => {
    asked += 1;
    return false;
  });
  assert.equal(whole.kind, "page");
  assert.ok(asked >= 8, `asked ${asked} times`);
  for (let last = 1; last <= asked; last += 1) {
    let left = last;
    const stopped = listDirectory(input, undefined, () => {
      left -= 1;
      return left === 0;
    });
    assert.deepEqual(stopped, { kind: "stopped" });
    assert.equal(left, 0, "nothing is asked after it");
  }
});

test("listDirectory: folders first, in natural order", () => {
  const path = makeDirectory("order", ["file10", "File2", "b/", "a/"]);
  assert.deepEqual(namesOf(path), ["a", "b", "File2", "file10"]);
});

test("listDirectory: in the order the query asks for", () => {
  const path = makeDirectory("sorted", ["a", "b"]);
  assert.deepEqual(namesOf(path, { query: "C=N&O=D" }), ["b", "a"]);
});

test("listDirectory: facts of a file and of a directory", () => {
  const path = makeDirectory("facts", ["file", "folder/"]);
  const time = new Date("2024-03-15T10:30:00.500Z");
  for (const name of ["file", "folder"]) utimesSync(join(path, name), time, time);
  assert.deepEqual(read(path).entries, [
    { name: "folder", type: "directory", modified: time.toISOString(), href: "./folder/" },
    { name: "file", type: "file", size: 1, modified: time.toISOString(), href: "./file" },
  ]);
});

test("listDirectory: media type and policy of either form", () => {
  const path = makeDirectory("forms", []);
  for (const [form, mediaType] of [
    ["html", "text/html; charset=utf-8"],
    ["json", "application/json"],
  ] as const) {
    const output = run(path, { form });
    assert.equal(output.kind, "page");
    assert.equal(output.mediaType, mediaType);
    assert.equal(output.securityPolicy, LISTING_CSP);
  }
});

test("listDirectory: dotfiles only when asked for", () => {
  const path = makeDirectory("dots", [".hidden", ".git/", "shown"]);
  assert.deepEqual(namesOf(path), ["shown"]);
  assert.deepEqual(namesOf(path, { dotfiles: true }), [".git", ".hidden", "shown"]);
});

test("listDirectory: only the types allowed, and all directories", () => {
  const path = makeDirectory("types", ["a.TXT", "b.png", "txt", "d.txt/", "e.tar.gz"]);
  assert.deepEqual(namesOf(path, { types: ["txt", "gz"] }), ["d.txt", "a.TXT", "e.tar.gz"]);
});

test("listDirectory: names that no URL can express are counted, not shown", () => {
  const path = makeDirectory("bytes", [
    "ok",
    "é\n",
    "\ufeffmark",
    "back\\slash",
    Buffer.from([0x61, 0xff]),
    Buffer.from([0xed, 0xa0, 0x80]),
  ]);
  const shown = read(path);
  assert.deepEqual(shown.entries.map((entry) => entry.name).sort(), ["ok", "é\n", "\ufeffmark"].sort());
  assert.equal(shown.notShown, 3);
});

test("listDirectory: links by policy", () => {
  const path = makeDirectory("links", ["file", "folder/"]);
  const links: [name: string, target: string][] = [
    ["to-file", "file"],
    ["to-folder", "folder"],
    ["to-root", root],
    ["to-self", "."],
    ["two-steps", "to-file"],
    ["outside", join(top, "secret.txt")],
    ["outside-by-dots", "../../secret.txt"],
    ["beside-root", join(top, "root-beside")],
    ["dangling", "nothing"],
    ["loop", "loop"],
    ["device", "/dev/null"],
  ];
  for (const [name, target] of links) symlinkSync(target, join(path, name));

  const inside = ["folder", "to-folder", "to-root", "to-self", "file", "to-file", "two-steps"];
  assert.deepEqual(namesOf(path, { symlinks: "inside" }).sort(), inside.sort());
  assert.deepEqual(namesOf(path, { symlinks: "never" }), ["folder", "file"]);
  const anywhere = [...inside, "outside", "outside-by-dots", "beside-root"];
  assert.deepEqual(namesOf(path, { symlinks: "anywhere" }).sort(), anywhere.sort());
  assert.equal(read(path).entries.find((entry) => entry.name === "to-folder")?.type, "directory");
});

test("listDirectory: with the root of the file system as document root, every link is inside", () => {
  const path = makeDirectory("slash", []);
  symlinkSync(join(top, "secret.txt"), join(path, "link"));
  assert.deepEqual(namesOf(path, { root: absolutePath("/") }), ["link"]);
});

test("listDirectory: a FIFO is not shown and not waited for", () => {
  const path = makeDirectory("fifo", []);
  execFileSync("mkfifo", [join(path, "README")]);
  assert.deepEqual(namesOf(path), []);
  assert.doesNotMatch(pageOf(path), /class="readme"/);
});

test("listDirectory: by way of an open descriptor, links included", () => {
  const path = makeDirectory("descriptor", ["README", "folder/"]);
  symlinkSync("folder", join(path, "link"));
  symlinkSync("../../secret.txt", join(path, "out"));
  const descriptor = openSync(path, "r");
  try {
    const name = `/proc/self/fd/${descriptor}`;
    assert.deepEqual(namesOf(name), ["folder", "link", "README"]);
    assert.match(pageOf(name), /class="readme"/);
  } finally {
    closeSync(descriptor);
  }
});

const readmes: [name: string, files: Record<string, string | Buffer>, want: string | undefined][] = [
  ["plain text", { README: "hello" }, "hello"],
  ["any case", { "ReadMe.TXT": "hello" }, "hello"],
  [".txt before .md before none", { README: "c", "README.md": "b", "readme.txt": "a" }, "a"],
  [".md before none", { README: "c", "README.md": "b" }, "b"],
  ["escaped", { README: "<script>" }, "&lt;script&gt;"],
  ["not UTF-8 is shown as well as it can be", { README: Buffer.from([0x61, 0xff]) }, "a\ufffd"],
  ["binary is passed over for the next", { "README.txt": "a\0", "README.md": "b" }, "b"],
  ["another name", { "README.html": "x", "READ ME": "x" }, undefined],
  ["an empty file", { README: "" }, ""],
];
for (const [index, [name, contents, want]] of readmes.entries()) {
  test(`listDirectory: README: ${name}`, () => {
    const path = makeDirectory(`readme-${index}`, []);
    for (const [file, content] of Object.entries(contents)) writeFileSync(join(path, file), content);
    assert.equal(/<pre>\n([\s\S]*)<\/pre>/.exec(pageOf(path))?.[1], want);
  });
}

test("listDirectory: README: one that is a link is only an entry", () => {
  const path = makeDirectory("readme-link", ["text"]);
  symlinkSync("text", join(path, "README"));
  assert.deepEqual(namesOf(path), ["README", "text"]);
  assert.doesNotMatch(pageOf(path), /<pre>/);
});

test("listDirectory: README: one whose type is not allowed is not shown below either", () => {
  const path = makeDirectory("readme-type", ["README.md", "a.html"]);
  assert.doesNotMatch(pageOf(path, { types: ["html"] }), /<pre>/);
});

test("listDirectory: README: a long one is cut between characters, and says so", () => {
  const path = makeDirectory("readme-long", []);
  const limit = 64 * 1024;
  writeFileSync(join(path, "README"), `${"x".repeat(limit - 1)}é`);
  const page = pageOf(path);
  assert.equal(/<pre>\n([\s\S]*)<\/pre>/.exec(page)?.[1], "x".repeat(limit - 1));
  assert.match(page, /The rest is in/);

  writeFileSync(join(path, "README"), "x".repeat(limit));
  assert.doesNotMatch(pageOf(path), /The rest is in/);
});

test("listDirectory: what is wrong with the directory itself", () => {
  const path = makeDirectory("failures", ["file"]);
  symlinkSync("loop", join(path, "loop"));
  for (const name of ["missing", "file", "file/below", "loop", "n".repeat(300)]) {
    assert.deepEqual(run(join(path, name)), { kind: "failed", reason: "not-found" }, name);
  }
});

test("listDirectory: a directory it may not read", {
  skip: process.getuid?.() === 0 && "root may read everything",
}, () => {
  const path = makeDirectory("closed", []);
  execFileSync("chmod", ["000", path]);
  assert.deepEqual(run(path), { kind: "failed", reason: "no-permission" });
});

test("listDirectory: 3,000 entries, each with its line", () => {
  const path = makeDirectory(
    "many",
    Array.from({ length: 3000 }, (_, index) => `f${index}`),
  );
  assert.equal(pageOf(path).split("<tr><th scope=row>").length - 1, 3001);
});

test("listDirectory: the bytes own their memory, however few they are", () => {
  const output = run(makeDirectory("small", []));
  assert.equal(output.kind, "page");
  assert.equal(output.bytes.byteLength, output.bytes.buffer.byteLength);
});
