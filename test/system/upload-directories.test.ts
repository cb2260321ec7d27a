import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { outsidePath, prepareUploadDirectories, uploadDirectories } from "../../src/system/upload-directories.ts";
import { linkTo, makeTree, permissionsDoNotBind } from "../support/file-tree.ts";
import { NO_CHANGE } from "../support/no-privileges.ts";
import { onlyRoot } from "../support/root.ts";
import { settingsFrom } from "../support/settings-from.ts";

const places: [name: string, configuration: string, want: readonly string[]][] = [
  ["the built-in one", "", ["main directory /site/uploads"]],
  ["none", "upload = no", []],
  ["relative", "upload-dir = a/b", ["main directory /site/a/b"]],
  ["absolute", "upload-dir = /var/up", ["main directory /var/up"]],
  ["hosts by directory", "virthost = yes", ["main tree /site"]],
  ["hosts by directory, in one place", "virthost = yes\nupload-dir = /var/up", ["main directory /var/up"]],
  [
    "a host of its own",
    "[Virtual host a.test]\ndocbase = /a\nupload-dir = in\n[Virtual host b.test]\ndocbase = /b\nupload = no",
    ["main directory /site/uploads", "a.test directory /a/in"],
  ],
];
for (const [name, configuration, want] of places) {
  test(`uploadDirectories: ${name}`, (t) => {
    const found = uploadDirectories(settingsFrom(makeTree(t), `[main]\ndocbase = /site\n${configuration}\n`));
    assert.deepEqual(
      found.map(({ site, kind, path }) => `${site} ${kind} ${path}`),
      want,
    );
  });
}

test("each directory that is missing is made, with those above it", (t) => {
  const top = makeTree(t, { "site/": "", "host/": "" });
  const settings = settingsFrom(
    top,
    "[main]\ndocbase = site\nupload-dir = a/b\n[Virtual host a.test]\ndocbase = host\nupload-dir = uploads\n",
  );
  for (const _ of ["first", "second"]) {
    assert.deepEqual(prepareUploadDirectories(settings, NO_CHANGE), []);
    assert.ok(statSync(`${top}/site/a/b`).isDirectory());
    assert.ok(statSync(`${top}/host/uploads`).isDirectory());
  }
});

test("none is made where uploads are turned off, nor in a folder that may be no host", (t) => {
  const top = makeTree(t, { "site/pictures/": "" });
  const configuration = "[main]\ndocbase = site\nvirthost = yes\n[Virtual host a.test]\nupload = no\n";
  assert.deepEqual(prepareUploadDirectories(settingsFrom(top, configuration), NO_CHANGE), []);
  assert.deepEqual(readdirSync(`${top}/site`), ["pictures"]);
  assert.deepEqual(readdirSync(`${top}/site/pictures`), []);
});

test("one that cannot be made is reported, and the others are made", (t) => {
  const top = makeTree(t, { "site/file": "x", "host/": "" });
  const settings = settingsFrom(
    top,
    "[main]\ndocbase = site\nupload-dir = file\n[Virtual host a.test]\ndocbase = host\nupload-dir = in\n",
  );
  const [report, ...more] = prepareUploadDirectories(settings, NO_CHANGE);
  assert.match(report ?? "", /^uploads of main cannot be stored: .*\/site\/file: file already exists$/);
  assert.deepEqual(more, []);
  assert.ok(existsSync(`${top}/host/in`));
});

test("one that must not be made is reported", { skip: permissionsDoNotBind }, (t) => {
  const top = makeTree(t, { "site/": "" });
  chmodSync(`${top}/site`, 0o555);
  const reports = prepareUploadDirectories(settingsFrom(top, "[main]\ndocbase = site\n"), NO_CHANGE);
  assert.match(reports.join(), /permission denied$/);
  chmodSync(`${top}/site`, 0o755);
});

const stranger = { uid: 4242, gid: 4343, groups: [4343] };

test("it is made by the user who will write to it", { skip: onlyRoot }, (t) => {
  const top = makeTree(t, { "site/": "" });
  chmodSync(top, 0o755);
  chownSync(`${top}/site`, 4242, 4343);
  const plan = { chroot: undefined, account: stranger };
  assert.deepEqual(prepareUploadDirectories(settingsFrom(top, "[main]\ndocbase = site\n"), plan), []);
  const { uid, gid } = statSync(`${top}/site/uploads`);
  assert.deepEqual({ uid, gid }, { uid: 4242, gid: 4343 });
  assert.equal(process.geteuid?.(), 0);
});

test("root is not led by another user's link to where only root may write", { skip: onlyRoot }, (t) => {
  const top = makeTree(t, { "site/": "", "roots/": "", "site/up": linkTo("../roots") });
  chmodSync(top, 0o755);
  chownSync(`${top}/site`, 4242, 4343);
  const settings = settingsFrom(top, "[main]\ndocbase = site\nupload-dir = up/new\n");
  const [report] = prepareUploadDirectories(settings, { chroot: undefined, account: stranger });
  assert.match(report ?? "", /permission denied$/);
  assert.deepEqual(readdirSync(`${top}/roots`), []);
});

const links: [name: string, path: string, want: string][] = [
  ["a path", "/www/site", "/www/site"],
  ["an absolute link", "/absolute/x", "/data/x"],
  ["a relative link", "/www/relative/x", "/data/x"],
  ["a link that climbs out", "/climbing/x", "/data/x"],
  ["a link to a link", "/www/chain", "/data"],
  ["two dots", "/../../www/../data", "/data"],
  ["what is not there", "/none/at/all", "/none/at/all"],
];
for (const [name, path, want] of links) {
  test(`outsidePath: ${name}`, (t) => {
    const jail = makeTree(t, {
      "www/site/": "",
      "data/": "",
      absolute: linkTo("/data"),
      "www/relative": linkTo("../data"),
      climbing: linkTo("../../../../data"),
      "www/chain": linkTo("/absolute/."),
    });
    assert.equal(outsidePath(jail, absolutePath(path)), `${jail}${want}`);
    assert.equal(outsidePath(undefined, absolutePath(path)), path);
  });
}

test("outsidePath: links in a ring", (t) => {
  const jail = makeTree(t, { one: linkTo("two"), two: linkTo("/one") });
  assert.throws(() => outsidePath(jail, absolutePath("/one")), /too many symbolic links in \/one/);
});

test("in a chroot the directory is made where the worker will look for it", (t) => {
  const jail = makeTree(t, { "www/": "", "data/": "" });
  symlinkSync("/data", `${jail}/www/up`);
  mkdirSync(`${jail}/conf`);
  const settings = settingsFrom(absolutePath(`${jail}/conf`), "[main]\ndocbase = /www\nupload-dir = up/in\n");
  assert.deepEqual(prepareUploadDirectories(settings, { chroot: jail, account: undefined }), []);
  assert.ok(statSync(`${jail}/data/in`).isDirectory());
});
