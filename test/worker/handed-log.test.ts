import assert from "node:assert/strict";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { HandedLog } from "../../src/worker/handed-log.ts";
import { makeTree } from "../support/file-tree.ts";
import { mountSmall, mountsAreNotAllowed } from "../support/small-disk.ts";

const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

interface Stage {
  readonly log: HandedLog;
  /** What went to the primary, behind why the file had refused it. */
  readonly relayed: string[];
  /** What waits in the socket. */
  readonly waiting: (number | undefined)[];
}

function setStage(descriptor: number | undefined, hasKoffi = true): Stage {
  const relayed: string[] = [];
  const waiting: (number | undefined)[] = [];
  const log = new HandedLog({
    handed: { name: "a.log", descriptor, socket: hasKoffi ? 9 : undefined },
    relay: async (lines, refusal) => {
      const why = refusal && `${refusal.why}${refusal.isTorn ? ", torn" : ""}: `;
      relayed.push(`${why ?? ""}${Buffer.from(lines)}`);
    },
    receiveDescriptor: hasKoffi ? () => waiting.shift() : undefined,
  });
  return { log, relayed, waiting };
}

function openIn(t: TestContext, name: string): { readonly path: string; readonly descriptor: number } {
  const path = `${makeTree(t, {})}/${name}`;
  return { path, descriptor: openSync(path, APPEND) };
}

test("HandedLog: lines are appended to the file, at once", async (t) => {
  const { path, descriptor } = openIn(t, "log");
  const { log, relayed } = setStage(descriptor);
  assert.equal(log.write(Buffer.from("one\ntwo\n")), 8);
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
  assert.deepEqual(relayed, []);
  await log.close();
  assert.throws(() => closeSync(descriptor), { code: "EBADF" });
});

test("HandedLog: without a file lines go to the primary", async () => {
  const { log, relayed } = setStage(undefined);
  assert.equal(await log.write(Buffer.from("one\n")), 4);
  assert.deepEqual(relayed, ["one\n"]);
  await log.close();
});

test("HandedLog: what is recorded after the log was opened again goes to the new file", async (t) => {
  const [old, next] = [openIn(t, "old"), openIn(t, "new")];
  const { log, waiting } = setStage(old.descriptor);
  log.write(Buffer.from("one\n"));
  waiting.push(next.descriptor);
  log.receive({ kind: "log-reopened", isHanded: true });
  log.write(Buffer.from("two\n"));
  assert.equal(readFileSync(old.path, "utf8"), "one\n");
  assert.equal(readFileSync(next.path, "utf8"), "two\n");
  assert.throws(() => closeSync(old.descriptor), { code: "EBADF" });
  await log.close();
});

const unhanded: [name: string, hasKoffi: boolean, isHanded: boolean][] = [
  ["without koffi", false, false],
  ["where the new log is no regular file", true, false],
  ["where no descriptor was free for the new one", true, true],
];
for (const [name, hasKoffi, isHanded] of unhanded) {
  test(`HandedLog: opened again ${name}: lines go to the primary`, async (t) => {
    const { path, descriptor } = openIn(t, "log");
    const { log, relayed, waiting } = setStage(descriptor, hasKoffi);
    waiting.push(undefined);
    log.receive({ kind: "log-reopened", isHanded });
    await log.write(Buffer.from("one\n"));
    assert.deepEqual(relayed, ["one\n"]);
    assert.equal(readFileSync(path, "utf8"), "");
    assert.throws(() => closeSync(descriptor), { code: "EBADF" });
  });
}

test("HandedLog: while the primary writes, lines go there", async (t) => {
  const { path, descriptor } = openIn(t, "log");
  const { log, relayed } = setStage(descriptor);
  log.receive({ kind: "log-writer", writer: "primary" });
  await log.write(Buffer.from("one\n"));
  log.receive({ kind: "log-writer", writer: "worker" });
  log.write(Buffer.from("two\n"));
  assert.deepEqual(relayed, ["one\n"]);
  assert.equal(readFileSync(path, "utf8"), "two\n");
  await log.close();
});

test("HandedLog: what a full disk did not take goes to the primary, and so does what comes after", {
  skip: mountsAreNotAllowed,
}, async (t) => {
  const path = `${mountSmall(t, { bytes: 8192 })}/log`;
  const { log, relayed } = setStage(openSync(path, APPEND));
  const line = `${"x".repeat(99)}\n`;
  const lines = Buffer.from(line.repeat(100));
  assert.equal(await log.write(lines), lines.length);
  const taken = readFileSync(path);
  assert.ok(taken.length > 0 && taken.length < lines.length, `${taken.length}`);
  assert.deepEqual(relayed, [`no space left on device, torn: ${lines.subarray(taken.length)}`]);
  await log.write(Buffer.from("one\n"));
  assert.deepEqual(relayed.slice(1), ["one\n"]);
  await log.close();
});
