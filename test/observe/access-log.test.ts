import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { AccessLog, type AccessLogLimits } from "../../src/observe/access-log.ts";
import type { Events } from "../../src/observe/log.ts";
import { AppendedFile, type LogFile } from "../../src/observe/log-file.ts";

const LIMITS: AccessLogLimits = {
  batch: bytes(10),
  delay: milliseconds(1000),
  pending: bytes(40),
  retry: milliseconds(1000),
  flush: milliseconds(2000),
};

/** A file whose writes end when, and as, the test says. */
class SlowFile implements LogFile {
  readonly name = "a.log";
  readonly asked: string[] = [];
  isClosed = false;
  #waiting: { resolve(count: number): void; reject(error: Error): void; length: number } | undefined;

  write(octets: Uint8Array): Promise<number> {
    assert.equal(this.#waiting, undefined, "one write at a time");
    this.asked.push(Buffer.from(octets).toString());
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject, length: octets.length };
    });
  }

  async take(count?: number): Promise<void> {
    const write = this.#settle();
    write.resolve(count ?? write.length);
    await setImmediate();
  }

  async refuse(code: string): Promise<void> {
    this.#settle().reject(Object.assign(new Error(`${code}: no luck, write`), { code }));
    await setImmediate();
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  #settle(): { resolve(count: number): void; reject(error: Error): void; length: number } {
    const write = this.#waiting;
    assert.ok(write, "a write is under way");
    this.#waiting = undefined;
    return write;
  }
}

interface Stage {
  readonly file: SlowFile;
  readonly log: AccessLog;
  readonly told: string[];
  /** Lets time pass, and then what was waiting for it run. */
  pass(time: number): Promise<void>;
}

function setStage(context: TestContext): Stage {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const tell = (text: string): void => {
    told.push(text);
  };
  const events: Events = { error: tell, warn: tell, info: tell, debug: tell };
  const file = new SlowFile();
  return {
    file,
    told,
    log: new AccessLog(file, events, LIMITS),
    pass: async (time) => {
      context.mock.timers.tick(time);
      await setImmediate();
    },
  };
}

test("AccessLog: lines wait for others, but not longer than the delay", async (context) => {
  const { file, log, pass } = setStage(context);
  log.record("aa");
  log.record("bb");
  await pass(999);
  assert.deepEqual(file.asked, []);
  await pass(1);
  assert.deepEqual(file.asked, ["aa\nbb\n"]);
});

test("AccessLog: a full batch does not wait", async (context) => {
  const { file, log } = setStage(context);
  log.record("aaaa");
  log.record("bbbb");
  await setImmediate();
  assert.deepEqual(file.asked, ["aaaa\nbbbb\n"]);
});

test("AccessLog: while a write is under way batches gather, and leave together", async (context) => {
  const { file, log, pass } = setStage(context);
  log.record("aaaaaaaaaa");
  log.record("bbb");
  log.record("cccccc");
  log.record("dddddddddd");
  log.record("ee");
  await pass(5000);
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n"]);
  await file.take();
  assert.deepEqual(file.asked.slice(1), ["bbb\ncccccc\ndddddddddd\n"]);
  await file.take();
  await pass(1000);
  assert.deepEqual(file.asked.slice(2), ["ee\n"]);
});

test("AccessLog: a short batch after a long one waits for its own delay", async (context) => {
  const { file, log, pass } = setStage(context);
  log.record("aaaaaaaaaa");
  log.record("b");
  await file.take();
  assert.deepEqual(file.asked.slice(1), []);
  await pass(1000);
  assert.deepEqual(file.asked.slice(1), ["b\n"]);
  await file.take();
  log.record("c");
  await pass(1000);
  assert.deepEqual(file.asked.slice(2), ["c\n"]);
});

test("AccessLog: what was taken in part is continued where it stopped", async (context) => {
  const { file, log, told } = setStage(context);
  log.record("aaaaaaaaaa");
  await file.take(4);
  await file.take(3);
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n", "aaaaaa\n", "aaa\n"]);
  assert.deepEqual(told, []);
});

test("AccessLog: a refused write is reported once, tried again, and its end is reported", async (context) => {
  const { file, log, told, pass } = setStage(context);
  log.record("aaaaaaaaaa");
  await file.take(4);
  await file.refuse("ENOSPC");
  log.record("bb");
  await pass(999);
  assert.equal(file.asked.length, 2);
  await pass(1);
  await file.refuse("ENOSPC");
  await pass(1000);
  assert.deepEqual(told, ["cannot write access log a.log: no luck; retrying every 1 s"]);
  await file.take();
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n", "aaaaaa\n", "aaaaaa\n", "aaaaaa\n"]);
  assert.deepEqual(told.slice(1), ["access log a.log is writable again; lines lost: 0"]);
  await pass(1000);
  assert.equal(file.asked[4], "bb\n");
});

test("AccessLog: a full pipe is no fault", async (context) => {
  const { file, log, told, pass } = setStage(context);
  log.record("aaaaaaaaaa");
  await file.refuse("EAGAIN");
  await pass(20);
  await file.take();
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n", "aaaaaaaaaa\n"]);
  assert.deepEqual(told, []);
});

test("AccessLog: memory is bounded; lines beyond it are counted, and the count is told when all is written", async (context) => {
  const { file, log, told } = setStage(context);
  for (const letter of "abcde") log.record(letter.repeat(10));
  log.record("ff");
  assert.deepEqual(told, ["access log a.log is too slow: dropping lines"]);
  await file.take();
  log.record("g".repeat(10));
  await file.take();
  assert.equal(told.length, 1);
  await file.take();
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n", "bbbbbbbbbb\ncccccccccc\n", "ff\ngggggggggg\n"]);
  assert.deepEqual(told.slice(1), ["access log a.log is writable again; lines lost: 2"]);
});

test("AccessLog: flush writes at once and says when all is written", async (context) => {
  const { file, log } = setStage(context);
  log.record("a");
  const flushed = log.flush();
  await setImmediate();
  assert.deepEqual(file.asked, ["a\n"]);
  await file.take();
  assert.equal(await flushed, true);
});

test("AccessLog: flush waits for the write under way and for what came after", async (context) => {
  const { file, log } = setStage(context);
  log.record("aaaaaaaaaa");
  log.record("b");
  const flushed = log.flush();
  await file.take();
  assert.deepEqual(file.asked, ["aaaaaaaaaa\n", "b\n"]);
  await file.take();
  assert.equal(await flushed, true);
});

test("AccessLog: flush with nothing to write is done", async (context) => {
  assert.equal(await setStage(context).log.flush(), true);
});

test("AccessLog: flush tries what was refused once more, then says what is lost", async (context) => {
  const { file, log, told } = setStage(context);
  log.record("aaaaaaaaaa");
  await file.refuse("ENOSPC");
  log.record("bb");
  const flushed = log.flush();
  await setImmediate();
  await file.refuse("ENOSPC");
  await file.refuse("ENOSPC");
  assert.equal(await flushed, true);
  assert.deepEqual(told.slice(1), ["access log a.log: lines lost: 1", "access log a.log: lines lost: 1"]);
});

test("AccessLog: flush does not wait for ever", async (context) => {
  const { file, log, told, pass } = setStage(context);
  log.record("aaaaaaaaaa");
  log.record("b");
  const closed = log.close();
  await pass(2000);
  await closed;
  assert.deepEqual(told, ["access log a.log is too slow: bytes not written at exit: 13"]);
  assert.equal(file.isClosed, false);
});

test("AccessLog: close flushes, closes the file, and takes no more lines", async (context) => {
  const { file, log } = setStage(context);
  log.record("a");
  const closed = log.close();
  log.record("late");
  await setImmediate();
  await file.take();
  await closed;
  assert.deepEqual(file.asked, ["a\n"]);
  assert.equal(file.isClosed, true);
});

test("AccessLog: a real file is appended to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "comanche-access-log-"));
  try {
    const path = join(folder, "access.log");
    closeSync(openSync(path, "a"));
    const silent: Events = { error: assert.fail, warn: assert.fail, info: assert.fail, debug: assert.fail };
    for (const line of ["first", "second"]) {
      const log = new AccessLog(new AppendedFile(openSync(path, "a"), path), silent);
      log.record(line);
      await log.close();
    }
    assert.equal(readFileSync(path, "latin1"), "first\nsecond\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("AccessLog: what another process was refused is tried after a pause, the rest of a line first", async (context) => {
  const { file, log, told, pass } = setStage(context);
  log.append(Buffer.from("bb\n"), { why: "no space left on device", isTorn: false });
  log.append(Buffer.from("a\n"), { why: "no space left on device", isTorn: true });
  log.append(Buffer.from("cc\n"));
  await pass(999);
  assert.deepEqual(file.asked, []);
  await pass(1);
  assert.deepEqual(file.asked, ["a\nbb\ncc\n"]);
  assert.deepEqual(told, ["cannot write access log a.log: no space left on device; retrying every 1 s"]);
  let isIdle = false;
  void log.idle().then(() => {
    isIdle = true;
  });
  await setImmediate();
  assert.equal(isIdle, false);
  await file.take();
  assert.equal(isIdle, true);
  assert.deepEqual(told.slice(1), ["access log a.log is writable again; lines lost: 0"]);
});
