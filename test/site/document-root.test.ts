import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { DocumentRoot, type Reach } from "../../src/site/document-root.ts";
import { probeDescriptorPaths } from "../../src/site/open-file.ts";
import { DIRECTORY, linkTo, makeTree } from "../support/file-tree.ts";

test("probeDescriptorPaths: Linux with /proc has them", { skip: process.platform !== "linux" && "not Linux" }, () => {
  assert.equal(probeDescriptorPaths(), "proc");
});

/** A turn that is moved on by hand. */
class ManualTurn {
  number = 0;
  current(): number {
    return this.number;
  }
}

function rootAt(path: string, turn = new ManualTurn(), reach?: Reach): DocumentRoot {
  return new DocumentRoot({ path: absolutePath(path), turn, descriptorPaths: probeDescriptorPaths(), reach });
}

test("DocumentRoot: the real path of a root behind links", (t) => {
  const top = makeTree(t, { "v1/": DIRECTORY, current: linkTo("v1"), docbase: linkTo("./current/") });
  assert.equal(rootAt(`${top}/docbase`).realPath(), `${top}/v1`);
  assert.equal(rootAt(`${top}/docbase//`).realPath(), `${top}/v1`);
  assert.equal(rootAt("/").realPath(), "/");
});

test("DocumentRoot: what is missing, a file or a loop has no real path", (t) => {
  const top = makeTree(t, { file: "x", loop: linkTo("loop"), dangling: linkTo("nowhere") });
  for (const name of ["nothing", "file", "loop", "dangling"]) {
    assert.equal(rootAt(`${top}/${name}`).realPath(), undefined, name);
  }
});

test("DocumentRoot: a root whose name is not UTF-8 has no real path", (t) => {
  const top = makeTree(t);
  const odd = Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff])]);
  mkdirSync(odd);
  symlinkSync(odd, `${top}/docbase`);
  assert.equal(rootAt(`${top}/docbase`).realPath(), undefined);
});

test("DocumentRoot: a root swapped by a deployment holds from the next turn on", (t) => {
  const top = makeTree(t, { "v1/": DIRECTORY, "v2/": DIRECTORY, docbase: linkTo("v1"), next: linkTo("v2") });
  const turn = new ManualTurn();
  const root = rootAt(`${top}/docbase`, turn);
  assert.equal(root.realPath(), `${top}/v1`);

  renameSync(`${top}/next`, `${top}/docbase`);
  assert.equal(root.realPath(), `${top}/v1`);
  turn.number++;
  assert.equal(root.realPath(), `${top}/v2`);

  rmSync(`${top}/docbase`);
  turn.number++;
  assert.equal(root.realPath(), undefined);
});

const children: [name: string, child: string, inside: string | undefined, never: string | undefined][] = [
  ["a directory", "plain", "root/plain", "root/plain"],
  ["a link to a sibling", "alias", "root/plain", undefined],
  ["a link to the outside", "escape", undefined, undefined],
  ["a link to a directory whose name begins like the root's", "secret", undefined, undefined],
  ["a link above", "up", undefined, undefined],
  ["a file", "file", undefined, undefined],
  ["nothing", "nothing", undefined, undefined],
];
for (const [name, child, inside, never] of children) {
  test(`DocumentRoot.child: ${name}`, (t) => {
    const top = makeTree(t, {
      "root/plain/": DIRECTORY,
      "root/alias": linkTo("plain"),
      "root/escape": linkTo("../outside"),
      "root/secret": linkTo("../root-secret"),
      "root/up": linkTo(".."),
      "root/file": "x",
      "outside/": DIRECTORY,
      "root-secret/": DIRECTORY,
      docbase: linkTo("root"),
    });
    const root = rootAt(`${top}/docbase`);
    assert.equal(root.child(child, "inside").realPath(), inside && `${top}/${inside}`);
    assert.equal(root.child(child, "never").realPath(), never && `${top}/${never}`);
    assert.equal(root.child(child, "anywhere").realPath(), inside && `${top}/${inside}`);
  });
}

test("DocumentRoot.child: gone when its parent is", (t) => {
  const top = makeTree(t, { "root/a/": DIRECTORY });
  const turn = new ManualTurn();
  const child = rootAt(`${top}/root`, turn).child("a", "inside");
  assert.equal(child.realPath(), `${top}/root/a`);
  renameSync(`${top}/root`, `${top}/elsewhere`);
  turn.number++;
  assert.equal(child.realPath(), undefined);
});

// ---- with a sandbox

/** A process that may read what the folders of these names hold. Its reports are counted. */
function sandboxed(t: Parameters<typeof makeTree>[0], ...allowed: readonly string[]) {
  const top = makeTree(t, { "v1/a/": DIRECTORY, "v2/a/": DIRECTORY, "v3/": DIRECTORY, docbase: linkTo("v1") });
  const turn = new ManualTurn();
  const inodes = new Set(allowed.map((name) => statSync(`${top}/${name}`).ino));
  const reports: string[] = [];
  const reach: Reach = {
    reads: (path) => inodes.has(statSync(path).ino),
    stores: () => false,
    report: (place) => reports.push(place),
  };
  const root = rootAt(`${top}/docbase`, turn, reach);
  return {
    top,
    root,
    reports,
    turnTo(target: string): void {
      symlinkSync(target, `${top}/next`);
      renameSync(`${top}/next`, `${top}/docbase`);
      turn.number += 1;
    },
    nextTurn(): void {
      turn.number += 1;
    },
  };
}

test("DocumentRoot: a root that moves where the sandbox does not reach is the former one until it comes back", (t) => {
  const { top, root, reports, turnTo } = sandboxed(t, "v1", "v3");
  assert.deepEqual(root.state(), { kind: "present", path: `${top}/v1` });
  assert.deepEqual(reports, []);
  turnTo("v2");
  assert.deepEqual(root.state(), { kind: "former", path: `${top}/v1` });
  assert.equal(root.realPath(), `${top}/v1`);
  assert.deepEqual(reports, [`${top}/docbase`]);
  turnTo("v1");
  assert.deepEqual(root.state(), { kind: "present", path: `${top}/v1` });
  turnTo("v3");
  assert.deepEqual(root.state(), { kind: "present", path: `${top}/v3` });
  turnTo("v2");
  assert.deepEqual(root.state(), { kind: "former", path: `${top}/v3` });
});

test("DocumentRoot: out of reach when the former root is gone, or was made again", (t) => {
  const { top, root, reports, turnTo, nextTurn } = sandboxed(t, "v1");
  root.state();
  turnTo("v2");
  renameSync(`${top}/v1`, `${top}/old`);
  assert.equal(root.state().kind, "out-of-reach");
  assert.equal(root.realPath(), undefined);
  mkdirSync(`${top}/v1`);
  nextTurn();
  assert.equal(root.state().kind, "out-of-reach");
  assert.equal(reports.length, 2);
});

test("DocumentRoot: one that was made again under its name is another", (t) => {
  const { top, root, turnTo } = sandboxed(t, "v1");
  root.state();
  renameSync(`${top}/v1`, `${top}/old`);
  mkdirSync(`${top}/v1`);
  turnTo("v1");
  assert.equal(root.state().kind, "out-of-reach");
});

test("DocumentRoot: what is missing is missing, sandbox or not", (t) => {
  const { root, reports, turnTo } = sandboxed(t, "v1");
  turnTo("nowhere");
  assert.equal(root.state().kind, "missing");
  assert.deepEqual(reports, []);
});

test("DocumentRoot.child: is where its parent is", (t) => {
  const { top, root, turnTo } = sandboxed(t, "v1");
  const child = root.child("a", "inside");
  assert.deepEqual(child.state(), { kind: "present", path: `${top}/v1/a` });
  turnTo("v2");
  assert.deepEqual(child.state(), { kind: "former", path: `${top}/v1/a` });
  renameSync(`${top}/v1`, `${top}/old`);
  turnTo("v2");
  assert.equal(child.state().kind, "out-of-reach");
});
