import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds, unixMilliseconds } from "../../src/base/units.ts";
import {
  decideConsoleLevel,
  type EventLevel,
  EventLog,
  formatEvent,
  LineSink,
  type WriteSome,
} from "../../src/observe/log.ts";

const events: [name: string, level: EventLevel, text: string, want: string][] = [
  ["information has no label", "info", "listening", "[T] listening\n"],
  ["an error has one", "error", "no", "[T] error: no\n"],
  ["a warning has one", "warn", "hm", "[T] warning: hm\n"],
  ["further lines cannot pass for events", "info", "a\n[T] b\nc", "[T] a\n    [T] b\n    c\n"],
];
for (const [name, level, text, want] of events) {
  test(`formatEvent: ${name}`, () => assert.equal(formatEvent("T", level, text), want));
}

test("decideConsoleLevel: quiet leaves errors alone", () => {
  assert.equal(decideConsoleLevel("debug", true), "error");
  assert.equal(decideConsoleLevel("debug", false), "debug");
});

const clock = {
  wall: () => unixMilliseconds(new Date(2024, 2, 15, 10, 30, 0).getTime()),
  monotonic: () => milliseconds(0),
};

/** Writes that are kept; `failures` are thrown first, one a call. */
function memory(failures: readonly string[] = [], mostAtOnce = 1000): { write: WriteSome; text(): string } {
  const waiting = [...failures];
  const chunks: Buffer[] = [];
  return {
    write: (_descriptor, bytes) => {
      const code = waiting.shift();
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      const taken = bytes.subarray(0, mostAtOnce);
      chunks.push(Buffer.from(taken));
      return taken.length;
    },
    text: () => Buffer.concat(chunks).toString(),
  };
}

function logTo(sink: { write: WriteSome }): EventLog {
  return new EventLog([new LineSink({ descriptor: 2 }, "info", clock, sink.write)]);
}

test("EventLog: time is local, and each sink gets what its level lets through", () => {
  const written: [number, string][] = [];
  const write: WriteSome = (descriptor, bytes) => {
    written.push([descriptor, Buffer.from(bytes).toString()]);
    return bytes.length;
  };
  const log = new EventLog([
    new LineSink({ descriptor: 7 }, "error", clock, write),
    new LineSink({ descriptor: 8 }, "info", clock, write),
  ]);
  log.debug("d");
  log.info("i");
  log.error("e");
  assert.deepEqual(written, [
    [8, "[2024-03-15 10:30:00] i\n"],
    [7, "[2024-03-15 10:30:00] error: e\n"],
    [8, "[2024-03-15 10:30:00] error: e\n"],
  ]);
});

test("EventLog: an error tells its stack and its causes, indented", () => {
  const sink = memory();
  const log = logTo(sink);
  log.error("fault while answering", new Error("outer", { cause: new TypeError("inner") }));
  const lines = sink.text().trimEnd().split("\n");
  assert.equal(lines[0], "[2024-03-15 10:30:00] error: fault while answering");
  assert.equal(lines[1], "    Error: outer");
  assert.ok(lines.includes("    caused by TypeError: inner"));
  assert.ok(lines.slice(1).every((line) => line.startsWith("    ")));
});

test("EventLog: causes that form a ring come to an end", () => {
  const sink = memory();
  const ring = new Error("ring");
  ring.cause = ring;
  logTo(sink).error("x", ring);
  assert.match(sink.text(), /caused by Error: ring/);
});

test("EventLog: control characters are shown, and blanks at the end left out", () => {
  const sink = memory();
  logTo(sink).info("a\rb\x1b[2J ✓\n");
  assert.equal(sink.text(), "[2024-03-15 10:30:00] a\\rb\\x1b[2J ✓\n");
});

test("EventLog: a write that takes a part is continued", () => {
  const sink = memory([], 5);
  logTo(sink).info("whole");
  assert.equal(sink.text(), "[2024-03-15 10:30:00] whole\n");
});

test("EventLog: a full pipe gets a moment", () => {
  const sink = memory(["EAGAIN", "EAGAIN"]);
  logTo(sink).info("here");
  assert.equal(sink.text(), "[2024-03-15 10:30:00] here\n");
});

test("EventLog: a console that has gone costs nothing but its events, which are counted", () => {
  const sink = memory(["EPIPE", "EIO"]);
  const log = logTo(sink);
  log.info("one");
  log.info("two");
  log.info("three");
  log.info("four");
  assert.equal(
    sink.text(),
    "[2024-03-15 10:30:00] warning: events that could not be written to this log: 2\n" +
      "[2024-03-15 10:30:00] three\n[2024-03-15 10:30:00] four\n",
  );
});
