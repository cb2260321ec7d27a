import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { unixMilliseconds } from "../../src/base/units.ts";
import { formatUploadName } from "../../src/base/upload-name.ts";
import type { Digest } from "../../src/http/content-digest.ts";
import { type StoreJsonInput, type StoreJsonOutput, storeJson } from "../../src/tasks/store-json.ts";
import { makeTree } from "../support/file-tree.ts";
import { asOrdinaryUser } from "../support/served-site.ts";
import { mountSmall, mountsAreNotAllowed } from "../support/small-disk.ts";

const RECEIVED = unixMilliseconds(new Date(2024, 2, 15, 12, 34, 56).getTime());
const TEMPORARY = ".upload-1-ab.part";

function inputFor(
  directory: AbsolutePath,
  content: string | Uint8Array,
  digests: readonly Digest[] = [],
): StoreJsonInput {
  const temporary = absolutePath(`${directory}/${TEMPORARY}`);
  writeFileSync(temporary, content, { mode: 0o600 });
  return { temporary, directory, receivedAt: RECEIVED, mode: 0o640, digests };
}

const hex = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const digestOf = (algorithm: Digest["algorithm"], content: string | Uint8Array): Digest => ({
  algorithm,
  value: new Uint8Array(createHash(algorithm.replace("-", "")).update(content).digest()),
});
const finalNames = (directory: string) => readdirSync(directory).filter((name) => name !== TEMPORARY);

function storedName(output: StoreJsonOutput): string {
  assert.ok(output.kind === "stored", JSON.stringify(output));
  return output.name;
}

test("a stored upload: name, content, size, digest, permissions", (t) => {
  const directory = makeTree(t);
  const output = storeJson(inputFor(directory, '{"a":1}'), () => "a7b9");
  const name = "upload_20240315_123456_a7b9.json";
  assert.deepEqual(output, { kind: "stored", name, size: 7, sha256: hex('{"a":1}') });
  assert.equal(readFileSync(`${directory}/${name}`, "utf8"), '{"a":1}');
  assert.equal(statSync(`${directory}/${name}`).mode & 0o777, 0o640);
  assert.deepEqual(finalNames(directory), [name], "and the temporary file is still its maker's");
  assert.equal(statSync(`${directory}/${TEMPORARY}`).nlink, 2);
});

test("the suffix is four hexadecimal digits", (t) => {
  assert.match(storedName(storeJson(inputFor(makeTree(t), "1"))), /^upload_20240315_123456_[0-9a-f]{4}\.json$/);
});

// ---- what is JSON

const DEEP = 100_000;
const texts: [name: string, content: string | Uint8Array][] = [
  ["a number", "1"],
  ["a string", '"x"'],
  ["null and blanks", " null\r\n\t"],
  ["100,000 brackets", "[".repeat(DEEP) + "]".repeat(DEEP)],
  ["100,000 objects", `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`],
  ["a number of a million digits", "9".repeat(1_000_000)],
  ["an exponent out of all bounds", "[1e999999999, -0.0e-99999999999999999999]"],
  ["repeated keys", '{"a":1,"a":2,"a":{"a":3}}'],
  ["__proto__ and constructor", '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'],
  ["escaped halves of surrogate pairs", '["\\ud800", "\\udc00\\ud800", {"\\udfff":1}]'],
  ["escaped NUL", '"\\u0000"'],
  ["characters of two, three and four octets", '"\u00e9\u20ac\u{1f600}"'],
  ["a text cut anywhere by the pieces", JSON.stringify(Array.from({ length: 40_000 }, (_, i) => `\u20ac${i}`))],
];
for (const [name, content] of texts) {
  test(`stored as it came: ${name}`, (t) => {
    const directory = makeTree(t);
    const output = storeJson(inputFor(directory, content));
    assert.deepEqual(readFileSync(`${directory}/${storedName(output)}`), Buffer.from(content));
    assert.ok(output.kind === "stored" && output.sha256 === hex(content) && output.size === Buffer.byteLength(content));
    assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
  });
}

const faults: [name: string, content: string | Uint8Array, line: number, column: number][] = [
  ["nothing", "", 1, 1],
  ["blanks", " \n ", 2, 2],
  ["two values", "1 2", 1, 3],
  ["a byte order mark", "\ufeff{}", 1, 1],
  ["UTF-16", Buffer.from('{"a":1}', "utf16le"), 1, 2],
  ["bytes that are not UTF-8", Buffer.from('["\xff"]', "latin1"), 1, 3],
  ["an overlong character", Buffer.from('["\xc0\xaf"]', "latin1"), 1, 3],
  ["half a surrogate pair as bytes", Buffer.from('["\xed\xa0\x80"]', "latin1"), 1, 3],
  ["a cut character", Buffer.from('["\xe2\x82', "latin1"), 1, 3],
  ["NUL behind the value", "1\0", 1, 2],
  ["a trailing comma", '{\n  "a": 1,\n}', 3, 1],
  ["a comment", "[1, // one\n2]", 1, 5],
  ["NaN", "NaN", 1, 1],
  ["brackets that are not closed", "[".repeat(DEEP), 1, DEEP + 1],
  ["a fault behind the first piece", `[${"1,\n".repeat(100_000)}]`, 100_001, 1],
];
for (const [name, content, line, column] of faults) {
  test(`not JSON: ${name}`, (t) => {
    const directory = makeTree(t);
    const output = storeJson(inputFor(directory, content));
    assert.ok(output.kind === "not-json", output.kind);
    assert.deepEqual([output.fault.line, output.fault.column], [line, column], output.fault.expected);
    assert.deepEqual(finalNames(directory), []);
  });
}

// ---- digests

const LONG = JSON.stringify("x".repeat(200_000));
const digestCases: [name: string, content: string, digests: Digest[], want: StoreJsonOutput["kind"]][] = [
  ["SHA-256", LONG, [digestOf("sha-256", LONG)], "stored"],
  ["SHA-512", LONG, [digestOf("sha-512", LONG)], "stored"],
  ["both", LONG, [digestOf("sha-256", LONG), digestOf("sha-512", LONG)], "stored"],
  ["SHA-256 of something else", LONG, [digestOf("sha-256", "1")], "digest-mismatch"],
  ["SHA-512 of something else", LONG, [digestOf("sha-512", "1")], "digest-mismatch"],
  ["one right, one wrong", LONG, [digestOf("sha-256", LONG), digestOf("sha-512", "1")], "digest-mismatch"],
  ["two fields that differ", LONG, [digestOf("sha-256", LONG), digestOf("sha-256", "1")], "digest-mismatch"],
  ["right, but not JSON", "[1", [digestOf("sha-256", "[1")], "not-json"],
  ["neither right nor JSON", "[x", [digestOf("sha-256", "1")], "digest-mismatch"],
];
for (const [name, content, digests, want] of digestCases) {
  test(`digests: ${name}`, (t) => {
    const directory = makeTree(t);
    assert.equal(storeJson(inputFor(directory, content, digests)).kind, want);
    assert.equal(finalNames(directory).length, want === "stored" ? 1 : 0);
  });
}

// ---- names that are taken

test("nothing is overwritten: another name is made until one is free", (t) => {
  const directory = makeTree(t);
  const taken = ["0001", "0002", "0003"].map((suffix) => formatUploadName(RECEIVED, suffix));
  const [file = "", folder = "", link = ""] = taken;
  writeFileSync(`${directory}/${file}`, "old");
  mkdirSync(`${directory}/${folder}`);
  symlinkSync("nowhere", `${directory}/${link}`);
  const suffixes = ["0001", "0002", "0003", "0001", "0004"];
  const output = storeJson(inputFor(directory, "1"), () => suffixes.shift() ?? "");
  assert.equal(storedName(output), formatUploadName(RECEIVED, "0004"));
  assert.equal(readFileSync(`${directory}/${file}`, "utf8"), "old");
  assert.deepEqual(finalNames(directory).sort(), [...taken, formatUploadName(RECEIVED, "0004")].sort());
});

test("names that are all taken are a fault of the machine, not an endless search", (t) => {
  const directory = makeTree(t);
  writeFileSync(`${directory}/${formatUploadName(RECEIVED, "0001")}`, "old");
  assert.deepEqual(
    storeJson(inputFor(directory, "1"), () => "0001"),
    { kind: "unavailable" },
  );
});

// ---- a machine at fault

const faultsOfMachine: [name: string, spoil: (directory: AbsolutePath) => void][] = [
  ["the temporary file has gone", (directory) => rmSync(`${directory}/${TEMPORARY}`)],
  [
    "the temporary file has become a link",
    (directory) => {
      rmSync(`${directory}/${TEMPORARY}`);
      writeFileSync(`${directory}/other`, "1");
      symlinkSync("other", `${directory}/${TEMPORARY}`);
    },
  ],
  [
    "the temporary file has become a folder",
    (directory) => {
      rmSync(`${directory}/${TEMPORARY}`);
      mkdirSync(`${directory}/${TEMPORARY}`);
    },
  ],
];
for (const [name, spoil] of faultsOfMachine) {
  test(`unavailable: ${name}`, (t) => {
    const directory = makeTree(t);
    const input = inputFor(directory, "1");
    spoil(directory);
    assert.deepEqual(storeJson(input), { kind: "unavailable" });
    assert.ok(!readdirSync(directory).some((found) => found.startsWith("upload_")));
  });
}

test("unavailable: the directory must not be written", (t) => {
  const top = makeTree(t, { "uploads/": "" });
  const directory = absolutePath(`${top}/uploads`);
  const input = inputFor(directory, "1");
  chmodSync(input.temporary, 0o644);
  chmodSync(directory, 0o555);
  const output = asOrdinaryUser(top, () => storeJson(input));
  chmodSync(directory, 0o755);
  assert.deepEqual(output, { kind: "unavailable" });
  assert.deepEqual(finalNames(directory), []);
});

test("our own fault is thrown, and nothing is left", (t) => {
  const directory = makeTree(t);
  const input = inputFor(directory, "1");
  assert.throws(
    () =>
      storeJson(input, () => {
        throw new Error("our own");
      }),
    /our own/,
  );
  assert.deepEqual(finalNames(directory), []);
});

test("a disk without room for another name: no-space, and nothing is left", { skip: mountsAreNotAllowed }, (t) => {
  // A directory entry takes an inode where a hard link is made on this file system, so none must be left.
  const directory = mountSmall(t, { inodes: 3 });
  const input = inputFor(directory, "1");
  writeFileSync(`${directory}/last`, "");
  assert.deepEqual(storeJson(input), { kind: "no-space" });
  assert.deepEqual(finalNames(directory), ["last"]);
});
