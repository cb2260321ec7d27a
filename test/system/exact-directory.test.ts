import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { openExactDirectory } from "../../src/system/exact-directory.ts";
import { loadNative } from "../../src/system/native.ts";
import { type ListDirectoryInput, listDirectory } from "../../src/tasks/list-directory.ts";
import { type OpenDirectory, openDirectoryByName } from "../../src/tasks/open-directory.ts";
import { ThreadPool } from "../../src/tasks/task-pool.ts";
import { ChildScript } from "../support/child-script.ts";
import { FIFO, linkTo, makeTree, permissionsDoNotBind } from "../support/file-tree.ts";
import type { Swap } from "../support/link-swapper.ts";
import { MemoryEvents } from "../support/memory-events.ts";
import { rounds } from "../support/rounds.ts";

const loaded = await loadNative();
const skip = loaded.kind === "missing" && loaded.why;

const INPUT: ListDirectoryInput = {
  directory: absolutePath("/"),
  isRealPath: true,
  root: absolutePath("/"),
  segments: [],
  query: undefined,
  form: "json",
  dotfiles: true,
  symlinks: "inside",
  types: [],
};

/** Closed when the test ends. */
function open(t: TestContext, path: string): OpenDirectory {
  assert.equal(loaded.kind, "native");
  const directory = openExactDirectory(loaded.native, absolutePath(path));
  t.after(() => directory.close());
  return directory;
}

/** Every kind of entry, with names and facts that are easily got wrong. */
async function makeOddDirectory(t: TestContext): Promise<AbsolutePath> {
  const top = makeTree(t, {
    file: "content",
    "folder/below": "",
    fifo: FIFO,
    "to-file": linkTo("file"),
    dangling: linkTo("nothing"),
    "new\nline": "",
    ünï: "",
    "...": "",
    ".hidden": "",
    " ": "",
    ["n".repeat(255)]: "",
    ["é".repeat(127)]: "",
    huge: "",
    old: "",
    ancient: "",
    late: "",
  });
  for (const octets of [[0xff], [0x61, 0xed, 0xa0, 0x80], [0x01, 0x7f]]) {
    writeFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from(octets)]), "");
  }
  truncateSync(`${top}/huge`, 2 ** 33 + 1);
  for (const [name, time] of [
    ["old", -1.5],
    ["ancient", -(2 ** 31) + 0.25],
    ["late", 2 ** 32 + 0.75],
  ] as const) {
    const date = new Date(time * 1000);
    utimesSync(`${top}/${name}`, date, date);
  }
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(`${top}/socket`, resolve));
  t.after(() => socket.close());
  return top;
}

test("openExactDirectory: the names that readdir finds, byte by byte", { skip }, async (t) => {
  const top = await makeOddDirectory(t);
  const names = [...open(t, top).names()].sort();
  assert.deepEqual(names, readdirSync(top, "latin1").sort());
  assert.ok(names.includes("\xff"));
});

test("openExactDirectory: more names than one call gives", { skip }, (t) => {
  const top = makeTree(t);
  const want = Array.from({ length: 1000 }, (_, index) => `${index}-${"x".repeat(index % 250)}`);
  for (const name of want) writeFileSync(`${top}/${name}`, "");
  assert.deepEqual([...open(t, top).names()].sort(), want.sort());
});

test("openExactDirectory: the facts that lstat tells of every entry", { skip }, async (t) => {
  const top = await makeOddDirectory(t);
  const [exact, named] = [open(t, top), openDirectoryByName(top)];
  t.after(() => named.close());
  const names = readdirSync(top);
  for (const name of names.filter((name) => !name.includes("\ufffd"))) {
    const facts = exact.look(name);
    assert.deepEqual({ ...facts, modified: 0 }, { ...named.look(name), modified: 0 }, name);
    const { mtimeMs } = lstatSync(`${top}/${name}`);
    assert.equal(Math.floor(facts.modified), Math.floor(mtimeMs), name);
    assert.deepEqual(exact.lookAt(absolutePath(`${top}/${name}`)), facts, name);
  }
  assert.equal(exact.look("huge").size, 2 ** 33 + 1);
  assert.equal(exact.look("old").modified, -1500);
  for (const [name, kind] of [
    ["file", "file"],
    ["folder", "directory"],
    ["to-file", "link"],
    ["dangling", "link"],
    ["fifo", "other"],
    ["socket", "other"],
  ] as const) {
    assert.equal(exact.look(name).kind, kind, name);
  }
});

test("openExactDirectory: the same page as by name", { skip }, async (t) => {
  const top = await makeOddDirectory(t);
  symlinkSync(`${top}/folder`, `${top}/to-folder`);
  symlinkSync("/etc", `${top}/outside`);
  writeFileSync(`${top}/README`, "read me");
  assert.equal(loaded.kind, "native");
  const { native } = loaded;
  for (const symlinks of ["inside", "never", "anywhere"] as const) {
    for (const form of ["html", "json"] as const) {
      const input = { ...INPUT, directory: top, root: top, form, symlinks };
      const named = listDirectory(input);
      assert.deepEqual(
        listDirectory(input, (path) => openExactDirectory(native, path)),
        named,
      );
      assert.equal(named.kind, "page");
      assert.equal(Buffer.from(named.bytes).includes("to-folder"), symlinks !== "never");
    }
  }
});

const reads: [name: string, file: string, want: string | undefined][] = [
  ["a file", "file", "content"],
  ["no more than asked for", "long", "x".repeat(10)],
  ["an empty file", "empty", ""],
  ["a FIFO", "fifo", undefined],
  ["a directory", "folder", undefined],
];
for (const [name, file, want] of reads) {
  test(`openExactDirectory: reading the beginning of ${name}`, { skip }, (t) => {
    const top = makeTree(t, { file: "content", long: "x".repeat(20), empty: "", fifo: FIFO, "folder/": "" });
    const content = open(t, top).read(file, 10);
    assert.equal(content && Buffer.from(content).toString(), want);
  });
}

const refusals: [name: string, path: string, code: RegExp][] = [
  ["what is not there", "nothing", /^ENOENT$/],
  ["a file", "file", /^ENOTDIR$/],
  ["something below a file", "file/below", /^ENOTDIR$/],
  ["a link to a directory", "link", /^(?:ENOTDIR|ELOOP)$/],
  ["a directory on the way that is a link", "link/below", /^(?:ENOTDIR|ELOOP)$/],
  ["a FIFO, without waiting for a writer", "fifo", /^ENOTDIR$/],
  ["a name that is too long", "n".repeat(256), /^ENAMETOOLONG$/],
];
for (const [name, path, code] of refusals) {
  test(`openExactDirectory: refused: ${name}`, { skip }, (t) => {
    const top = makeTree(t, { file: "", "folder/below/": "", link: linkTo("folder"), fifo: FIFO });
    assert.throws(() => open(t, `${top}/${path}`), { code });
  });
}

test("openExactDirectory: a link is neither read nor looked through", { skip }, (t) => {
  const top = makeTree(t, { "folder/file": "", to: linkTo("folder"), "to-file": linkTo("folder/file") });
  const directory = open(t, top);
  assert.throws(() => directory.read("to-file", 10), { code: "ELOOP" });
  assert.equal(directory.lookAt(absolutePath(`${top}/to-file`)).kind, "link");
  assert.throws(() => directory.lookAt(absolutePath(`${top}/to/file`)), { code: /^(?:ENOTDIR|ELOOP)$/ });
});

test("openExactDirectory: the root of the file system", { skip }, (t) => {
  const root = open(t, "/");
  assert.deepEqual([...root.names()].sort(), readdirSync("/", "latin1").sort());
  assert.equal(root.lookAt(absolutePath("/")).kind, "directory");
});

test("openExactDirectory: stays with the directory whatever becomes of its name", { skip }, (t) => {
  const top = makeTree(t, { "folder/own": "own", "other/foreign": "" });
  const directory = open(t, `${top}/folder`);
  renameSync(`${top}/folder`, `${top}/moved`);
  symlinkSync("other", `${top}/folder`);
  assert.deepEqual([...directory.names()], ["own"]);
  assert.equal(directory.look("own").size, 3);
  assert.equal(Buffer.from(directory.read("own", 10) ?? []).toString(), "own");
});

test("openExactDirectory: directories that may be searched and not read are passed through", {
  skip: skip || permissionsDoNotBind,
}, (t) => {
  const top = makeTree(t, { "closed/folder/file": "" });
  chmodSync(`${top}/closed`, 0o111);
  try {
    assert.deepEqual([...open(t, `${top}/closed/folder`).names()], ["file"]);
    assert.throws(() => open(t, `${top}/closed`), { code: "EACCES" });
  } finally {
    chmodSync(`${top}/closed`, 0o755);
  }
});

test("openExactDirectory: no descriptor stays open, whatever comes of it", { skip }, (t) => {
  const top = makeTree(t, { "folder/file": "", link: linkTo("folder"), fifo: FIFO });
  const count = () => readdirSync("/proc/self/fd").length;
  const before = count();
  assert.equal(loaded.kind, "native");
  for (let round = 0; round < 20; round += 1) {
    const { native } = loaded;
    const directory = openExactDirectory(native, absolutePath(`${top}/folder`));
    assert.equal(directory.read("file", 1)?.length, 0);
    assert.throws(() => directory.lookAt(absolutePath(`${top}/link/file`)));
    assert.throws(() => directory.read("nothing", 1));
    directory.close();
    assert.throws(() => openExactDirectory(native, absolutePath(`${top}/link/below`)));
    assert.throws(() => openExactDirectory(native, absolutePath(`${top}/fifo`)));
  }
  assert.equal(count(), before);
});

test("openExactDirectory: in the task threads, wherever a directory is named by its real path", {
  skip,
  timeout: 180_000,
}, async (t) => {
  const top = makeTree(t, { "folder/own": "", link: linkTo("folder") });
  const pool = new ThreadPool({
    threads: 3,
    queue: 50,
    filename: fileURLToPath(new URL("../../src/thread-main.js", import.meta.url)),
    events: new MemoryEvents(),
    keepAll: { onLost: () => undefined },
  });
  t.after(() => pool.close());
  await pool.startAll();
  const list = async (name: string, isRealPath: boolean): Promise<string> => {
    const outcome = await pool.run("list-directory", {
      ...INPUT,
      directory: absolutePath(`${top}/${name}`),
      isRealPath,
    });
    assert.equal(outcome.kind, "done");
    const { output } = outcome;
    if (output.kind === "page") return output.mediaType;
    return output.kind === "failed" ? output.reason : output.kind;
  };
  const found = Array.from({ length: 20 }, () => list("folder", true));
  const refused = Array.from({ length: 20 }, () => list("link", true));
  assert.deepEqual(new Set(await Promise.all(found)), new Set(["application/json"]));
  assert.deepEqual(new Set(await Promise.all(refused)), new Set(["not-found"]));
  assert.equal(await list("link", false), "application/json");
});

const OPENINGS = rounds(3000, 10_000);
const PATIENCE_MS = 60_000;

test("openExactDirectory: a directory that is a link half of the time is itself or refused", {
  skip,
  timeout: 180_000,
}, async (t) => {
  const top = makeTree(t, { "root/folder/own": "", "outside/own": "", "outside/foreign": "" });
  const path = absolutePath(`${top}/root/folder`);
  const swaps: readonly Swap[] = [{ kind: "real or link", name: path, target: `${top}/outside` }];
  const swapper = new ChildScript("link-swapper", [JSON.stringify(swaps)]);
  t.after(() => swapper.kill());
  assert.equal(await swapper.nextLine(), "swapping");

  assert.equal(loaded.kind, "native");
  const { native } = loaded;
  const exact = new Set<string>();
  const named = new Set<string>();
  const deadline = performance.now() + PATIENCE_MS;
  // By name it is led outside, which shows that the race is there.
  const isEnough = () => (exact.size > 2 && named.has("foreign own")) || performance.now() > deadline;
  for (let round = 0; round < OPENINGS || !isEnough(); round += 1) {
    exact.add(outcomeOf(() => openExactDirectory(native, path)));
    named.add(outcomeOf(() => openDirectoryByName(path)));
  }
  // Before the tree is removed: the hooks run in the order in which they were registered.
  await swapper.kill();
  assert.deepEqual([...exact].sort(), ["ENOENT", "ENOTDIR", "own"]);
  assert.ok(named.has("foreign own"), [...named].join(", "));
});

function outcomeOf(openIt: () => OpenDirectory): string {
  try {
    const directory = openIt();
    const names = [...directory.names()].sort().join(" ");
    directory.close();
    return names;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
