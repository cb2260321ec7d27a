import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { test } from "node:test";
import { loadNative } from "../../src/system/native.ts";
import { NativeError } from "../../src/system/native-call.ts";
import { makeTree } from "../support/file-tree.ts";

const loaded = await loadNative();
const skip = loaded.kind === "missing" ? loaded.why : false;

test("passed descriptors arrive in their order, and are of the files that were sent", { skip }, (t) => {
  assert.ok(loaded.kind === "native");
  const { native } = loaded;
  const top = makeTree(t, {});
  const [ours, theirs] = native.socketPair();
  for (const name of ["first", "second"]) {
    const descriptor = openSync(`${top}/${name}`, "ax");
    native.sendDescriptor(ours, descriptor);
    closeSync(descriptor);
  }
  const received = [native.receiveDescriptor(theirs), native.receiveDescriptor(theirs)];
  for (const [index, descriptor] of received.entries()) {
    assert.ok(descriptor !== undefined);
    writeSync(descriptor, `${index}`);
    writeSync(descriptor, "\n");
    closeSync(descriptor);
  }
  assert.equal(readFileSync(`${top}/first`, "utf8"), "0\n");
  assert.equal(readFileSync(`${top}/second`, "utf8"), "1\n");
  for (const each of [ours, theirs]) closeSync(each);
});

test("a file that has lost its name is passed all the same", { skip }, (t) => {
  assert.ok(loaded.kind === "native");
  const { native } = loaded;
  const path = `${makeTree(t, {})}/file`;
  const [ours, theirs] = native.socketPair();
  const descriptor = openSync(path, "wx+");
  unlinkSync(path);
  native.sendDescriptor(ours, descriptor);
  const received = native.receiveDescriptor(theirs);
  assert.ok(received !== undefined);
  writeSync(received, "text");
  assert.equal(fstatSync(descriptor).size, 4);
  for (const each of [ours, theirs, descriptor, received]) closeSync(each);
});

test("nothing waits: neither for a descriptor nor for somebody who takes it", { skip }, () => {
  assert.ok(loaded.kind === "native");
  const { native } = loaded;
  const [ours, theirs] = native.socketPair();
  assert.throws(() => native.receiveDescriptor(theirs), isRefusal(/^EAGAIN$/));
  const flood = () => {
    for (let count = 0; count < 100_000; count += 1) native.sendDescriptor(ours, 2);
  };
  assert.throws(flood, isRefusal(/^(EAGAIN|ETOOMANYREFS|ENOBUFS)$/));
  closeSync(theirs);
  assert.throws(() => native.sendDescriptor(ours, 2), isRefusal(/^(EPIPE|ECONNREFUSED|ECONNRESET)$/));
  closeSync(ours);
});

function isRefusal(code: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof NativeError && code.test(error.code);
}
