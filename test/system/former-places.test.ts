import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { FormerPlaces } from "../../src/system/former-places.ts";
import { DIRECTORY, linkTo, makeTree } from "../support/file-tree.ts";

const RELEASES = ["1", "2", "3", "4", "5", "6"];

function setUp(t: Parameters<typeof makeTree>[0]) {
  const releases = Object.fromEntries(RELEASES.map((name) => [`releases/${name}/`, DIRECTORY]));
  const top = makeTree(t, { ...releases, current: linkTo("releases/1") });
  const name = absolutePath(`${top}/current`);
  const places = new FormerPlaces();
  const turnTo = (target: string): void => {
    symlinkSync(target, `${top}/next`);
    renameSync(`${top}/next`, name);
  };
  const former = (): readonly string[] => places.formerOf(name).map((path) => path.slice(`${top}/releases/`.length));
  return { top, name, places, turnTo, former };
}

test("FormerPlaces: where a link led before, the latest first, and no more than a few", (t) => {
  const { top, name, places, turnTo, former } = setUp(t);
  assert.equal(places.look(name)?.path, `${top}/releases/1`);
  assert.deepEqual(former(), []);
  turnTo("releases/2");
  assert.equal(places.look(name)?.path, `${top}/releases/2`);
  assert.deepEqual(former(), ["1"]);
  for (const release of ["3", "4", "5", "6"]) {
    turnTo(`releases/${release}`);
    places.look(name);
  }
  assert.deepEqual(former(), ["5", "4", "3"]);
  turnTo("releases/4");
  places.look(name);
  assert.deepEqual(former(), ["6", "5", "3"]);
});

test("FormerPlaces: the last place is one while the name leads to nothing", (t) => {
  const { name, places, former } = setUp(t);
  places.look(name);
  rmSync(name);
  assert.equal(places.look(name), undefined);
  assert.deepEqual(former(), ["1"]);
});

test("FormerPlaces: a place that is gone, was made again or became a link is none", (t) => {
  const { top, name, places, turnTo, former } = setUp(t);
  for (const release of RELEASES.slice(0, 4)) {
    turnTo(`releases/${release}`);
    places.look(name);
  }
  assert.deepEqual(former(), ["3", "2", "1"]);
  rmSync(`${top}/releases/1`, { recursive: true });
  renameSync(`${top}/releases/2`, `${top}/old`);
  mkdirSync(`${top}/releases/2`);
  renameSync(`${top}/releases/3`, `${top}/elsewhere`);
  symlinkSync("../elsewhere", `${top}/releases/3`);
  assert.deepEqual(former(), []);
});
