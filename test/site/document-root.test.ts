import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { DocumentRoot } from "../../src/site/document-root.ts";
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

function rootAt(path: string, turn = new ManualTurn()): DocumentRoot {
  return new DocumentRoot({ path: absolutePath(path), turn, descriptorPaths: probeDescriptorPaths() });
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
