// Not in --quick: every case in several processes.

import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  fstatSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { type AbsolutePath, absolutePath, type SymlinkRule } from "../../src/base/absolute-path.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
import { wholeSeconds } from "../../src/site/file-stamp.ts";
import {
  explainFileError,
  type OpenedFile,
  openBelow,
  openDirectoryBelow,
  probeDescriptorPaths,
  type Unopened,
} from "../../src/site/open-file.ts";
import { exactOpener, type ProvingWay, provenBy } from "../support/exact-opener.ts";
import {
  addToTree,
  DIRECTORY,
  type Entry,
  FIFO,
  linkTo,
  makeTree,
  permissionsDoNotBind,
} from "../support/file-tree.ts";

const RULES: readonly SymlinkRule[] = ["inside", "never", "anywhere"];
const WAYS: readonly ProvingWay[] = [
  ...(probeDescriptorPaths() === "proc" ? (["proc"] as const) : []),
  "realpath",
  ...(exactOpener === undefined ? [] : (["exact"] as const)),
];

function rootAt(path: string, way: ProvingWay): DocumentRoot {
  let turn = 0;
  return new DocumentRoot({ path: absolutePath(path), turn: { current: () => turn++ }, ...provenBy(way) });
}

/** `root/` with the entries, and around it what must not be served. */
function makeSite(t: TestContext, entries: Readonly<Record<string, Entry>>): AbsolutePath {
  const top = makeTree(t, {
    "root/": DIRECTORY,
    "root-secret/f": "secret",
    "outside/f": "foreign",
    "outside/sub/f": "foreign",
  });
  addToTree(`${top}/root`, entries);
  return top;
}

function split(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "");
}

/** What came of opening, in one line; nothing stays open. */
function outcome(root: DocumentRoot, path: string, symlinks: SymlinkRule): string {
  const result = openBelow(root, split(path), symlinks);
  switch (result.kind) {
    case "file":
      try {
        return `file: ${readFileSync(result.descriptor, "utf8")}`;
      } finally {
        closeSync(result.descriptor);
      }
    case "directory":
      return "directory";
    default:
      return describeUnopened(result);
  }
}

function describeUnopened(result: Unopened): string {
  return result.kind === "busy" ? `busy: ${result.reason}` : `${result.status} ${result.reason}`;
}

/** The names in a directory, or why it cannot be listed; nothing stays open. */
function listing(root: DocumentRoot, path: string, symlinks: SymlinkRule): string {
  const opened = openDirectoryBelow(root, split(path), symlinks);
  if (opened.kind !== "directory") return describeUnopened(opened);
  try {
    return readdirSync(opened.path).sort().join(" ");
  } finally {
    closeSync(opened.descriptor);
  }
}

function openFile(root: DocumentRoot, path: string, symlinks: SymlinkRule = "inside"): OpenedFile {
  const result = openBelow(root, split(path), symlinks);
  assert.ok(result.kind === "file", result.kind);
  return result;
}

const ESCAPE = "404 symlink-escape";
const MISSING = "404 not-found";
const NOT_A_FILE = "404 not-a-file";

/** What each rule makes of the same path; one word for all where they agree. */
type Wanted = string | { inside: string; never: string; anywhere: string };
const onlyInside = (want: string): Wanted => ({ inside: want, never: ESCAPE, anywhere: want });
const onlyAnywhere = (want: string): Wanted => ({ inside: ESCAPE, never: ESCAPE, anywhere: want });

const ENTRIES: Readonly<Record<string, Entry>> = {
  f: "content",
  empty: "",
  "a/b/f": "deep",
  "Ünïcode ☃/f": "snow",
  "f (deleted)": "not deleted",
  "only (deleted)": "not deleted either",
  "d (deleted)/f": "nor this",
  "to-file": linkTo("a/b/f"),
  "to-directory": linkTo("a"),
  "a/up-and-down": linkTo("../a/b/f"),
  chain: linkTo("chain2"),
  chain2: linkTo("to-directory/up-and-down"),
  "to-self": linkTo("."),
  dangling: linkTo("gone"),
  loop: linkTo("loop2"),
  loop2: linkTo("loop"),
  "out-file": linkTo("../outside/f"),
  "out-directory": linkTo("../outside"),
  "out-sibling": linkTo("../root-secret"),
  "out-chain": linkTo("out-directory/sub"),
  "out-parent": linkTo(".."),
  "out-and-in": linkTo("../root/f"),
  "to-passwd": linkTo("/etc/passwd"),
  device: linkTo("/dev/null"),
  fifo: FIFO,
  "to-fifo": linkTo("fifo"),
};

const cases: [name: string, path: string, want: Wanted][] = [
  ["a file", "f", "file: content"],
  ["an empty file", "empty", "file: "],
  ["a file in directories", "a/b/f", "file: deep"],
  ["names that are not ASCII", "Ünïcode ☃/f", "file: snow"],
  ["the root", "", "directory"],
  ["a directory", "a/b", "directory"],
  ["nothing", "nothing", MISSING],
  ["nothing in nothing", "nothing/at/all", MISSING],
  ["a path through a file", "f/more", MISSING],
  ["a name that looks deleted", "f (deleted)", "file: not deleted"],
  ["a name that looks deleted, alone", "only (deleted)", "file: not deleted either"],
  ["a directory that looks deleted", "d (deleted)", "directory"],
  ["below a directory that looks deleted", "d (deleted)/f", "file: nor this"],
  ["a link to a file inside", "to-file", onlyInside("file: deep")],
  ["a link to a directory inside", "to-directory", onlyInside("directory")],
  ["through a link to a directory inside", "to-directory/b/f", onlyInside("file: deep")],
  ["a relative link that climbs and stays inside", "a/up-and-down", onlyInside("file: deep")],
  ["a chain of links inside", "chain", onlyInside("file: deep")],
  ["a link to the root", "to-self", onlyInside("directory")],
  ["through a link to the root, twice", "to-self/to-self/f", onlyInside("file: content")],
  ["a link that leaves and comes back", "out-and-in", onlyInside("file: content")],
  ["through a link above the root and back in", "out-parent/root/f", onlyInside("file: content")],
  ["an absolute link inside", "absolute", onlyInside("file: content")],
  ["a dangling link", "dangling", MISSING],
  ["a loop of links", "loop", { inside: MISSING, never: ESCAPE, anywhere: MISSING }],
  ["a link to a file outside", "out-file", onlyAnywhere("file: foreign")],
  ["a link to a directory outside", "out-directory", onlyAnywhere("directory")],
  ["through a link to the outside", "out-directory/sub/f", onlyAnywhere("file: foreign")],
  ["a sibling whose name begins like the root's", "out-sibling/f", onlyAnywhere("file: secret")],
  ["a chain to the outside", "out-chain/f", onlyAnywhere("file: foreign")],
  ["a link above the root", "out-parent", onlyAnywhere("directory")],
  ["through a link above the root", "out-parent/outside/f", onlyAnywhere("file: foreign")],
  ["nothing outside", "out-directory/nothing", MISSING],
  ["an absolute link outside", "absolute-out", onlyAnywhere("file: foreign")],
  ["a device", "device", NOT_A_FILE],
  ["a FIFO without a writer", "fifo", NOT_A_FILE],
  ["a link to a FIFO", "to-fifo", NOT_A_FILE],
  ["a name of 300 bytes", "x".repeat(300), "404 name-too-long"],
  ["a directory's name of 300 bytes", `${"x".repeat(300)}/f`, "404 name-too-long"],
  ["a path over 4096 bytes", "to-self/".repeat(600), "404 name-too-long"],
];
for (const way of WAYS) {
  for (const [name, path, want] of cases) {
    test(`openBelow (${way}): ${name}`, (t) => {
      const top = makeSite(t, ENTRIES);
      addToTree(`${top}/root`, { absolute: linkTo(`${top}/root/f`), "absolute-out": linkTo(`${top}/outside/f`) });
      const root = rootAt(`${top}/root`, way);
      const got = Object.fromEntries(RULES.map((rule) => [rule, outcome(root, path, rule)]));
      assert.deepEqual(got, typeof want === "string" ? { inside: want, never: want, anywhere: want } : want);
    });
  }

  test(`openBelow (${way}): a socket`, async (t) => {
    const top = makeSite(t, {});
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${top}/root/socket`, resolve));
    t.after(() => server.close());
    for (const rule of RULES) assert.equal(outcome(rootAt(`${top}/root`, way), "socket", rule), NOT_A_FILE);
  });

  test(`openBelow (${way}): below a root that is a link`, (t) => {
    const top = makeSite(t, { f: "content", escape: linkTo("../outside/f") });
    addToTree(top, { docbase: linkTo("root") });
    const root = rootAt(`${top}/docbase`, way);
    for (const rule of RULES) assert.equal(outcome(root, "f", rule), "file: content");
    assert.equal(outcome(root, "escape", "inside"), ESCAPE);
  });

  test(`openBelow (${way}): a swapped root is served from its new place`, (t) => {
    const top = makeTree(t, { "v1/f": "one", "v2/f": "two", docbase: linkTo("v1"), next: linkTo("v2") });
    const root = rootAt(`${top}/docbase`, way);
    assert.equal(outcome(root, "f", "never"), "file: one");
    renameSync(`${top}/next`, `${top}/docbase`);
    assert.equal(outcome(root, "f", "never"), "file: two");
  });

  test(`openBelow (${way}): a root that is gone, and one that is a file`, (t) => {
    const top = makeTree(t, { file: "x", loop: linkTo("loop") });
    for (const name of ["gone", "file", "loop"]) {
      const root = rootAt(`${top}/${name}`, way);
      assert.equal(outcome(root, "", "inside"), MISSING, name);
      assert.equal(outcome(root, "f", "inside"), MISSING, name);
    }
  });

  test(`openBelow (${way}): the whole file system as root`, (t) => {
    const top = makeTree(t, { f: "content", link: linkTo("f") });
    const root = rootAt("/", way);
    assert.equal(outcome(root, `${top}/f`, "inside"), "file: content");
    assert.equal(outcome(root, `${top}/link`, "inside"), "file: content");
    assert.equal(outcome(root, `${top}/f`, "never"), "file: content");
    assert.equal(outcome(root, `${top}/link`, "never"), ESCAPE);
  });

  test(`openBelow (${way}): unreadable`, { skip: permissionsDoNotBind }, (t) => {
    const top = makeSite(t, { f: "x", "closed/f": "x", "searchable/f": "content" });
    chmodSync(`${top}/root/f`, 0o000);
    chmodSync(`${top}/root/closed`, 0o000);
    chmodSync(`${top}/root/searchable`, 0o111);
    const root = rootAt(`${top}/root`, way);
    for (const rule of RULES) {
      assert.equal(outcome(root, "f", rule), "403 no-permission");
      assert.equal(outcome(root, "closed/f", rule), "403 no-permission");
      assert.equal(outcome(root, "searchable", rule), "directory");
      assert.equal(outcome(root, "searchable/f", rule), "file: content");
      assert.deepEqual(openDirectoryBelow(root, ["searchable"], rule), {
        kind: "refused",
        status: 403,
        reason: "no-permission",
      });
    }
    chmodSync(`${top}/root`, 0o000);
    assert.equal(outcome(root, "searchable/f", "inside"), "403 no-permission");
    for (const name of ["", "/closed", "/searchable"]) chmodSync(`${top}/root${name}`, 0o755);
  });

  test(`openBelow (${way}): an open file outlives its name, replaced or deleted`, (t) => {
    const top = makeSite(t, { f: "old", g: "kept" });
    const root = rootAt(`${top}/root`, way);
    const replaced = openFile(root, "f");
    const deleted = openFile(root, "g");
    addToTree(`${top}/root`, { next: "new" });
    renameSync(`${top}/root/next`, `${top}/root/f`);
    rmSync(`${top}/root/g`);
    assert.equal(readFileSync(replaced.descriptor, "utf8"), "old");
    assert.equal(readFileSync(deleted.descriptor, "utf8"), "kept");
    closeSync(replaced.descriptor);
    closeSync(deleted.descriptor);
    assert.equal(outcome(root, "f", "inside"), "file: new");
    assert.equal(outcome(root, "g", "inside"), MISSING);
  });

  test(`openBelow (${way}): tells what was opened`, (t) => {
    const top = makeSite(t, { "a/f": "content", link: linkTo("a/f") });
    utimesSync(`${top}/root/a/f`, 1, 1_700_000_000.75);
    const file = openFile(rootAt(`${top}/root`, way), "link");
    const stats = fstatSync(file.descriptor, { bigint: true });
    closeSync(file.descriptor);
    assert.deepEqual(file.identity, {
      device: stats.dev,
      inode: stats.ino,
      size: 7,
      modifiedNs: 1_700_000_000_750_000_000n,
      changedNs: stats.ctimeNs,
    });
    assert.equal(file.isSizeDoubtful, false);
    assert.equal(file.stamp.realPath, `${top}/root/a/f`);
    assert.equal(file.stamp.relativePath, "link");
  });

  const directories: [name: string, path: string, want: Wanted][] = [
    ["the root", "", "f out sub to-sub"],
    ["a directory", "sub", "g"],
    ["a link to a directory inside", "to-sub", onlyInside("g")],
    ["a link to the outside", "out", onlyAnywhere("f sub")],
    ["through a link to the outside", "out/sub", onlyAnywhere("f")],
    ["a file", "f", MISSING],
    ["nothing", "nothing", MISSING],
  ];
  for (const [name, path, want] of directories) {
    test(`openDirectoryBelow (${way}): ${name}`, (t) => {
      const top = makeSite(t, { f: "", "sub/g": "", "to-sub": linkTo("sub"), out: linkTo("../outside") });
      const root = rootAt(`${top}/root`, way);
      const got = Object.fromEntries(RULES.map((rule) => [rule, listing(root, path, rule)]));
      assert.deepEqual(got, typeof want === "string" ? { inside: want, never: want, anywhere: want } : want);
    });
  }
}

test("openDirectoryBelow: the opened directory is listed whatever becomes of its name", {
  skip: WAYS.length < 2 && "no /proc",
}, (t) => {
  const top = makeSite(t, { "sub/g": "" });
  const opened = openDirectoryBelow(rootAt(`${top}/root`, "proc"), ["sub"], "inside");
  assert.ok(opened.kind === "directory");
  renameSync(`${top}/root/sub`, `${top}/root/moved`);
  symlinkSync("../outside", `${top}/root/sub`);
  assert.deepEqual(readdirSync(opened.path), ["g"]);
  closeSync(opened.descriptor);
});

for (const way of WAYS) {
  test(`openDirectoryBelow (${way}): how the directory is named, and whether no link may be followed`, (t) => {
    const top = makeSite(t, { "sub/": DIRECTORY, "to-sub": linkTo("sub") });
    const named = (path: string, rule: SymlinkRule) => {
      const opened = openDirectoryBelow(rootAt(`${top}/root`, way), [path], rule);
      assert.ok(opened.kind === "directory");
      closeSync(opened.descriptor);
      return [opened.path.replace(/^\/proc\/self\/fd\/\d+$/, "the descriptor"), opened.isRealPath];
    };
    const byDescriptor = ["the descriptor", false];
    const isProc = way === "proc";
    assert.deepEqual(named("sub", "never"), isProc ? byDescriptor : [`${top}/root/sub`, true]);
    assert.deepEqual(named("to-sub", "inside"), isProc ? byDescriptor : [`${top}/root/sub`, true]);
    assert.deepEqual(named("to-sub", "anywhere"), isProc ? byDescriptor : [`${top}/root/to-sub`, false]);
  });
}

test("openBelow: descriptors are closed on every way out", { skip: WAYS.length < 2 && "no /proc" }, (t) => {
  const top = makeSite(t, ENTRIES);
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  const calls = cases.flatMap(([, path]) => WAYS.flatMap((way) => RULES.map((rule) => ({ path, way, rule }))));
  for (let i = 0; i < 1000; i++) {
    const { path, way, rule } = calls[i % calls.length] ?? assert.fail();
    const root = rootAt(`${top}/root`, way);
    outcome(root, path, rule);
    listing(root, path, rule);
  }
  assert.equal(open(), before);
});

const errors: [code: string, inside: string, never: string][] = [
  ["ENOENT", MISSING, MISSING],
  ["ENOTDIR", MISSING, MISSING],
  ["ENAMETOOLONG", "404 name-too-long", "404 name-too-long"],
  ["ELOOP", MISSING, ESCAPE],
  ["ENXIO", NOT_A_FILE, NOT_A_FILE],
  ["EACCES", "403 no-permission", "403 no-permission"],
  ["EPERM", "403 no-permission", "403 no-permission"],
  ["EMFILE", "busy: out-of-descriptors", "busy: out-of-descriptors"],
  ["ENFILE", "busy: out-of-descriptors", "busy: out-of-descriptors"],
  ...["EIO", "ENOTCONN", "ESTALE", "ETIMEDOUT", "EAGAIN", "EHOSTDOWN", "EUCLEAN"].map(
    (code): [string, string, string] => [code, "busy: unreadable", "busy: unreadable"],
  ),
];
for (const [code, inside, never] of errors) {
  test(`explainFileError: ${code}`, () => {
    const error = Object.assign(new Error("from the file system"), { code });
    assert.equal(describeUnopened(explainFileError(error, "inside")), inside);
    assert.equal(describeUnopened(explainFileError(error, "never")), never);
  });
}

test("explainFileError: the operator gets the code of a failed file system", () => {
  const explained = explainFileError(Object.assign(new Error("disk"), { code: "EIO" }), "inside");
  assert.equal(explained.kind === "busy" && explained.fault, "EIO");
});

test("explainFileError: our own faults are thrown on", () => {
  const ours = ["EBADF", "ERR_INVALID_ARG_TYPE"].map((code) => Object.assign(new Error("ours"), { code }));
  for (const error of [...ours, new TypeError("ours")]) {
    assert.throws(
      () => explainFileError(error, "inside"),
      (thrown) => thrown === error,
    );
  }
});

test("openBelow: a stamp has the very numbers of fs.Stats, at any time of modification", (t) => {
  const top = makeSite(t, { f: "" });
  const path = `${top}/root/f`;
  const root = rootAt(`${top}/root`, "realpath");
  linkSync(path, `${top}/root/second-name`);
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000_000_000, max: 4_000_000_000_000 }), (time) => {
      utimesSync(path, new Date(time), new Date(time));
      const file = openFile(root, "f");
      closeSync(file.descriptor);
      const stats = statSync(path);
      assert.equal(file.stamp.modifiedMs, stats.mtimeMs);
      assert.equal(file.stamp.changedMs, stats.ctimeMs);
      assert.equal(Number(wholeSeconds(file.identity.modifiedNs)), Math.floor(stats.mtimeMs / 1000));
      assert.equal(file.stamp.inode, stats.ino);
      assert.equal(file.stamp.device, stats.dev);
    }),
  );
});
