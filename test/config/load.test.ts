import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { baseFolder, loadSettings, realDisk } from "../../src/config/load.ts";
import type { SettingsResult } from "../../src/config/settings.ts";
import { makeTree } from "../support/file-tree.ts";
import { type DiskContent, type Flags, fakeDisk, faultLines, settingsOf } from "./fake-disk.ts";

const cwd = absolutePath("/home/me");
const starter = { isRoot: false };

function load(content: DiskContent, flags: Flags = {}, configFile?: string): SettingsResult {
  return loadSettings({ layer: new Map(Object.entries(flags)), configFile, cwd, starter, disk: fakeDisk(content) });
}

const places: [name: string, files: string[], want: string | undefined][] = [
  ["none", [], undefined],
  ["below the working directory", ["/home/me/conf/comanche.conf", "/etc/comanche.conf"], "/home/me/conf/comanche.conf"],
  ["of the machine", ["/usr/local/etc/comanche.conf", "/etc/comanche.conf"], "/usr/local/etc/comanche.conf"],
  ["of the system", ["/etc/comanche.conf"], "/etc/comanche.conf"],
];
for (const [name, files, want] of places) {
  test(`the configuration file: ${name}`, () => {
    const result = load({ files: Object.fromEntries(files.map((file) => [file, "[main]"])) });
    assert.equal(settingsOf(result).configFile, want);
  });
}

test("the configuration file: one that is asked for must be there", () => {
  const elsewhere = { files: { "/etc/comanche.conf": "[main]" } };
  const faults = faultLines(load(elsewhere, { port: "x" }, "no.conf"));
  assert.deepEqual(faults, [
    "--config=no.conf: no such file: expected a configuration file",
    "--port=x: expected a whole number from 0 to 65535",
  ]);
});

test("the configuration file: one that is there but cannot be read is not passed over", () => {
  const result = load({ files: { "/etc/comanche.conf": "" }, locked: ["/home/me/conf/comanche.conf"] });
  assert.deepEqual(faultLines(result), ["conf/comanche.conf: cannot be read: no permission"]);
});

test("faults name the file as it was asked for", () => {
  const result = load({ files: { "/home/x.conf": "junk" } }, {}, "../x.conf");
  assert.deepEqual(faultLines(result), ["../x.conf:1: junk: expected key = value, a [section] or a comment"]);
});

const bases: [name: string, file: string, want: string][] = [
  ["the folder of the file", "/etc/comanche.conf", "/etc"],
  ["the folder above conf", "/srv/site/conf/comanche.conf", "/srv/site"],
  ["conf at the top", "/conf/comanche.conf", "/"],
  ["only a folder called exactly conf", "/srv/myconf/comanche.conf", "/srv/myconf"],
];
for (const [name, file, want] of bases) {
  test(`baseFolder: ${name}`, () => assert.equal(baseFolder(absolutePath(file)), want));
}

const docbases: [name: string, text: string, flags: Flags, folders: string[], want: string][] = [
  ["a flag is relative to the working directory", "", { docbase: "www" }, [], "/home/me/www"],
  ["the file's is relative to its base", "[main]\ndocbase = www", {}, [], "/srv/site/www"],
  ["an absolute path", "[main]\ndocbase = /www", {}, [], "/www"],
  ["by default beside the file", "", {}, ["/srv/site/htdocs"], "/srv/site/htdocs"],
  ["by default below the working directory when nothing is beside the file", "", {}, [], "/home/me/htdocs"],
];
for (const [name, text, flags, folders, want] of docbases) {
  test(`docbase: ${name}`, () => {
    const file = "/srv/site/conf/x.conf";
    assert.equal(settingsOf(load({ files: { [file]: text }, folders }, flags, file)).main.docbase, want);
  });
}

test("docbase: without any file below the working directory", () => {
  assert.equal(settingsOf(load({ folders: ["/htdocs"] })).main.docbase, "/home/me/htdocs");
});

test("a real file on a real disk", (t) => {
  const top = makeTree(t, { "conf/comanche.conf": "[main]\nport = 0\n", "htdocs/": "" });
  const settings = settingsOf(loadSettings({ layer: new Map(), cwd: top, starter }));
  assert.deepEqual([settings.server.port, settings.main.docbase], [0, `${top}/htdocs`]);
  assert.equal(settings.sources.get("port"), "conf/comanche.conf:2");
});

test("conf/threaded.conf is the small threaded server", () => {
  const configFile = fileURLToPath(new URL("../../../conf/threaded.conf", import.meta.url));
  const { server, main } = settingsOf(loadSettings({ layer: new Map(), configFile, cwd, starter }));
  assert.deepEqual(server.address, [{ kind: "ip", family: 4, address: "127.0.0.1" }]);
  assert.deepEqual([server.port, server.daemon, server.logfile], [8080, false, "-"]);
  assert.deepEqual([server.workers, server.queue, server.retryAfter], [10, 50, milliseconds(5000)]);
  assert.equal(server.logLevel, "debug");
  assert.deepEqual([server.timeout, server.keepaliveRequests], [milliseconds(30_000), 100]);
  assert.deepEqual([server.maxTarget, server.maxHeader, server.maxBody], [bytes(8192), bytes(8192), bytes(8192)]);
  assert.deepEqual(main.hosts, ["localhost", "127.0.0.1"]);
  assert.equal(main.traversalStatus, 403);
  assert.deepEqual([main.upload, main.uploadDir, main.uploadQuota], ["/upload", "uploads", undefined]);
  assert.equal(main.chunked, true);
  assert.deepEqual(main.types, ["html", "txt", "png", "jpg", "jpeg"]);
  assert.deepEqual(main.download, ["txt", "png", "jpg", "jpeg"]);
});

test("realDisk tells a file, a folder and nothing apart", (t) => {
  const top = makeTree(t, { "x.conf": "[main]" });
  const path = (name: string) => absolutePath(`${top}/${name}`);
  assert.deepEqual(realDisk.read(path("x.conf")), { kind: "bytes", bytes: Buffer.from("[main]") });
  assert.deepEqual(realDisk.read(path("y.conf")), { kind: "missing" });
  assert.deepEqual(realDisk.read(path("x.conf/y.conf")), { kind: "missing" });
  assert.deepEqual(realDisk.read(top), { kind: "unreadable", reason: "it is a folder" });
  assert.deepEqual(
    [realDisk.isFolder(top), realDisk.isFolder(path("x.conf")), realDisk.isFolder(path("y"))],
    [true, false, false],
  );
});
