import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { StartupError } from "../../src/base/errors.ts";
import { EventLog } from "../../src/observe/log.ts";
import type { Native, NativeResult } from "../../src/system/native.ts";
import { openSyslogSink, planSyslogMessages, syslogNotice } from "../../src/system/syslog-sink.ts";
import { ChildScript } from "../support/child-script.ts";
import { openNotifySocket } from "../support/notify-socket.ts";

const LONG = "x".repeat(960);
const plans: [name: string, text: string, want: readonly string[]][] = [
  ["one line", "stopped", ["stopped"]],
  ["a line feed at the end is none", "stopped\n", ["stopped"]],
  ["further lines are indented", "failed\nError: no\n    at x", ["failed", "    Error: no", "        at x"]],
  ["empty lines are left out", "one\n\n  \ntwo", ["one", "    two"]],
  ["nothing to say", " \n", []],
  ["the longest line", LONG, [LONG]],
  ["a longer line goes on", `${LONG}y`, [LONG, "    y"]],
  ["a further line that is longer", `one\n${LONG}`, ["one", `    ${"x".repeat(956)}`, `    ${"x".repeat(4)}`]],
  ["a letter is not torn", `${"x".repeat(959)}€`, ["x".repeat(959), "    €"]],
];
for (const [name, text, want] of plans) {
  test(`planSyslogMessages: ${name}`, () => assert.deepEqual(planSyslogMessages(text), want));
}

test("planSyslogMessages: a flood ends in a count", () => {
  const messages = planSyslogMessages(Array.from({ length: 100 }, (_, index) => `line ${index}`).join("\n"));
  assert.equal(messages.length, 64);
  assert.equal(messages[62], "    line 62");
  assert.equal(messages[63], "    (left out: 37 more lines)");
});

test("planSyslogMessages: short messages of one line each, and nothing lost but blanks", () => {
  const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 1500 }), { maxLength: 5 });
  fc.assert(
    fc.property(texts, (lines) => {
      const text = lines.join("\n");
      const messages = planSyslogMessages(text);
      for (const message of messages) {
        assert.ok(Buffer.byteLength(message) <= 960 && !message.includes("\n") && message.trim() !== "", message);
      }
      assert.equal(messages.join("").replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
    }),
  );
});

/** Records what would go to the C library. */
function fakeNative(): { readonly result: NativeResult; readonly calls: readonly unknown[][] } {
  const calls: unknown[][] = [];
  const native = {
    openSyslog: (...args: unknown[]) => void calls.push(["open", ...args]),
    syslog: (...args: unknown[]) => void calls.push(args),
  } as unknown as Native;
  return { result: { kind: "native", native }, calls };
}

test("openSyslogSink: opens with the facility, and writes each level at its severity", () => {
  const { result, calls } = fakeNative();
  const sink = openSyslogSink(result, "local3", "debug");
  for (const level of ["error", "warn", "info", "debug"] as const) sink.write(level, `${level}\nmore`);
  assert.deepEqual(calls, [
    ["open", "comanche", 19],
    ...Object.entries({ error: 3, warn: 4, info: 6, debug: 7 }).flatMap(([level, severity]) => [
      [severity, level],
      [severity, "    more"],
    ]),
  ]);
});

test("openSyslogSink: the facility goes to the C library as its number", () => {
  for (const [facility, number] of [
    ["daemon", 3],
    ["ftp", 11],
    ["local0", 16],
    ["local7", 23],
  ] as const) {
    const { result, calls } = fakeNative();
    openSyslogSink(result, facility, "info");
    assert.deepEqual(calls, [["open", "comanche", number]]);
  }
});

test("openSyslogSink: the event log leaves out what is beyond its level", () => {
  const { result, calls } = fakeNative();
  const log = new EventLog([openSyslogSink(result, "daemon", "warn")]);
  log.info("no");
  log.warn("a\x1b[2Jb");
  assert.deepEqual(calls.slice(1), [[4, "a\\x1b[2Jb"]]);
});

test("openSyslogSink: without koffi the start stops", () => {
  assert.throws(
    () => openSyslogSink({ kind: "missing", why: "the optional package koffi is not installed" }, "daemon", "info"),
    new StartupError("syslog = yes is not possible: the optional package koffi is not installed"),
  );
});

test("syslogNotice: no socket, or something else in its place, is told", async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "comanche-syslog-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "log");
  const want = `syslog = yes, but there is no socket ${path} yet: no syslog daemon is running`;
  assert.equal(syslogNotice(path), want);
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  context.after(() => server.close());
  assert.equal(syslogNotice(path), undefined);
});

test("events arrive at a syslog daemon, with facility, severity and number of the process", async (context) => {
  if (existsSync("/dev/log")) return context.skip("/dev/log exists: a syslog daemon runs here");
  if (process.geteuid?.() !== 0) return context.skip("only root can make /dev/log");
  const opened = await openNotifySocket("/dev/log");
  if (opened.kind === "missing") return context.skip(opened.why);
  const { socket } = opened;
  context.after(() => socket.close());
  const child = new ChildScript("notify-syslog");
  context.after(() => child.kill());

  await socket.waitFor((text) => text.endsWith(": last"));
  assert.equal((await child.end).status, 0);
  const texts = socket.received.map(({ text }) => text.replace(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d/, "TIME"));
  const head = (priority: number): string => `<${priority}>TIME comanche[${child.pid}]: `;
  const local3 = 19 * 8;
  assert.deepEqual(texts, [
    `${head(local3 + 3)}100 %s %n of “it”`,
    `${head(local3 + 3)}    at x`,
    `${head(local3 + 6)}last`,
  ]);
});
