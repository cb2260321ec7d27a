import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { StartupError } from "../../src/base/errors.ts";
import { milliseconds } from "../../src/base/units.ts";
import {
  formatReady,
  formatReloaded,
  formatReloading,
  formatStatus,
  formatStopping,
  type NotifySpec,
  openServiceNotifier,
  parseNotifySpec,
  ServiceMessages,
} from "../../src/primary/service-notify.ts";
import { loadNative } from "../../src/system/native.ts";
import { NativeError } from "../../src/system/native-call.ts";
import { type NotifySocket, openNotifySocket } from "../support/notify-socket.ts";

const NONE: NotifySpec = { kind: "none" };
const service = (address: string, ping?: number): NotifySpec => ({
  kind: "service",
  address,
  pingInterval: ping === undefined ? undefined : milliseconds(ping),
});
const specs: [name: string, variables: Record<string, string>, want: NotifySpec][] = [
  ["nobody listens", {}, NONE],
  ["an empty variable is none", { NOTIFY_SOCKET: "" }, NONE],
  ["a watchdog alone is none", { WATCHDOG_USEC: "30000000" }, NONE],
  ["a path", { NOTIFY_SOCKET: "/run/systemd/notify" }, service("/run/systemd/notify")],
  ["an abstract name", { NOTIFY_SOCKET: "@notify" }, service("@notify")],
  ["the longest path", { NOTIFY_SOCKET: `/${"a".repeat(106)}` }, service(`/${"a".repeat(106)}`)],
  ["pings at half the time", { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "30000000" }, service("/n", 15_000)],
  ["our watchdog", { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "2000000", WATCHDOG_PID: "7" }, service("/n", 1000)],
  ["the watchdog of another", { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "2000000", WATCHDOG_PID: "8" }, service("/n")],
  ["never more often than each millisecond", { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "1" }, service("/n", 1)],
  [
    "no longer than a timer takes",
    { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: `1${"0".repeat(18)}` },
    service("/n", 2 ** 31 - 1),
  ],
];
for (const [name, variables, want] of specs) {
  test(`parseServiceWish: ${name}`, () => assert.deepEqual(parseNotifySpec(variables, 7), want));
}

const PLACE = "expected an absolute path, or a name that begins with @, of at most 107 bytes";
const faults: [name: string, variables: Record<string, string>, message: string][] = [
  ["a relative path", { NOTIFY_SOCKET: "notify" }, `NOTIFY_SOCKET = notify: ${PLACE}`],
  ["another kind of socket", { NOTIFY_SOCKET: "vsock:2:1234" }, `NOTIFY_SOCKET = vsock:2:1234: ${PLACE}`],
  ["a name of nothing", { NOTIFY_SOCKET: "@" }, `NOTIFY_SOCKET = @: ${PLACE}`],
  ["a path too long", { NOTIFY_SOCKET: `/${"ä".repeat(54)}` }, `NOTIFY_SOCKET = /${"ä".repeat(54)}: ${PLACE}`],
  [
    "a time that is none",
    { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "30s" },
    "WATCHDOG_USEC = 30s: expected a whole number of microseconds above 0",
  ],
  [
    "no time at all",
    { NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "0" },
    "WATCHDOG_USEC = 0: expected a whole number of microseconds above 0",
  ],
];
for (const [name, variables, message] of faults) {
  test(`parseServiceWish: ${name} is refused`, () => {
    assert.throws(() => parseNotifySpec(variables, 7), new StartupError(message));
  });
}

const messages: [name: string, text: string, want: string][] = [
  ["ready", formatReady(7, "serves /srv"), "READY=1\nMAINPID=7\nSTATUS=serves /srv"],
  ["reloading", formatReloading(1_234_567_890n), "RELOADING=1\nMONOTONIC_USEC=1234567"],
  ["reloaded", formatReloaded("kept the old one"), "READY=1\nSTATUS=kept the old one"],
  ["stopping", formatStopping("SIGTERM"), "STOPPING=1\nSTATUS=SIGTERM"],
  ["status", formatStatus("3 of 10 workers are busy"), "STATUS=3 of 10 workers are busy"],
];
for (const [name, text, want] of messages) test(`messages: ${name}`, () => assert.equal(text, want));

test("formatStatus: no text begins a variable of its own", () => {
  assert.equal(formatStatus(" two faults:\n  one\nSTOPPING=1\r\n"), "STATUS=two faults:; one; STOPPING=1");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !/[\n\0]/.test(formatStatus(text))));
});

/** A manager that takes what `room` leaves it, and then says there is no room, or has gone. */
class FakeManager {
  readonly taken: string[] = [];
  readonly troubles: string[] = [];
  answer: "take" | "full" | "gone" = "take";

  open(ping?: number): ServiceMessages {
    return new ServiceMessages(
      (text) => {
        if (this.answer === "full") throw new NativeError("sendto", "EAGAIN");
        if (this.answer === "gone") throw new NativeError("sendto", "ECONNREFUSED");
        this.taken.push(text);
      },
      ping === undefined ? undefined : milliseconds(ping),
      (text) => this.troubles.push(text),
    );
  }
}

test("ServiceMessages: a reload tells the monotonic time, and a READY ends it", () => {
  const manager = new FakeManager();
  const notifier = manager.open();
  const before = process.hrtime.bigint() / 1000n;
  notifier.reloading();
  const after = process.hrtime.bigint() / 1000n;
  notifier.reloaded("holds");
  const [first = "", second] = manager.taken;
  const told = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(first)?.[1] ?? 0);
  assert.ok(told >= before && told <= after, `${before} <= ${told} <= ${after}`);
  assert.equal(second, "READY=1\nSTATUS=holds");
});

test("ServiceMessages: pings at once when ready, then again and again, and none after close", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const manager = new FakeManager();
  const notifier = manager.open(1000);
  context.mock.timers.tick(5000);
  assert.deepEqual(manager.taken, [], "nothing is watched before it is ready");
  notifier.ready("serves");
  context.mock.timers.tick(2999);
  assert.deepEqual(manager.taken.slice(1), ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
  notifier.close();
  context.mock.timers.tick(10_000);
  assert.equal(manager.taken.length, 4);
});

test("ServiceMessages: what finds no room is sent later in its order, and pings do not wait with it", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const manager = new FakeManager();
  const notifier = manager.open(10);
  manager.answer = "full";
  notifier.ready("serves");
  notifier.status("one");
  context.mock.timers.tick(120);
  assert.deepEqual(manager.taken, []);
  notifier.status("two");
  manager.answer = "take";
  notifier.status("three");
  assert.deepEqual(manager.taken, [], "none overtakes another");
  context.mock.timers.tick(50);
  const told = manager.taken.filter((text) => text !== "WATCHDOG=1");
  assert.deepEqual(told, [formatReady(process.pid, "serves"), "STATUS=one", "STATUS=two", "STATUS=three"]);
  assert.deepEqual(manager.troubles, []);
  notifier.close();
});

test("ServiceMessages: no more than 64 messages wait, the newest", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const manager = new FakeManager();
  const notifier = manager.open();
  manager.answer = "full";
  for (let count = 1; count <= 100; count++) notifier.status(String(count));
  manager.answer = "take";
  context.mock.timers.tick(50);
  assert.deepEqual(
    manager.taken,
    Array.from({ length: 64 }, (_, index) => `STATUS=${index + 37}`),
  );
  notifier.close();
});

test("ServiceMessages: a manager that has gone is reported once, and once more when it goes again", () => {
  const manager = new FakeManager();
  const notifier = manager.open();
  manager.answer = "gone";
  notifier.status("one");
  notifier.status("two");
  assert.equal(manager.troubles.length, 1);
  assert.match(manager.troubles[0] ?? "", /cannot notify the service manager: .*sendto: ECONNREFUSED$/);
  manager.answer = "take";
  notifier.status("three");
  manager.answer = "gone";
  notifier.stopping("SIGTERM");
  assert.deepEqual(manager.taken, ["STATUS=three"]);
  assert.equal(manager.troubles.length, 2);
});

const NO_KOFFI = { kind: "missing", why: "the optional package koffi is not installed" } as const;
const fail = (text: string): void => assert.fail(text);

test("openServiceNotifier: without a manager all is silent, koffi or not", () => {
  const notifier = openServiceNotifier({}, NO_KOFFI, fail);
  notifier.ready("serves");
  notifier.reloading();
  notifier.reloaded("holds");
  notifier.status("text");
  notifier.stopping("SIGTERM");
  notifier.close();
});

test("openServiceNotifier: a manager that waits and cannot be told stops the start", () => {
  assert.throws(() => openServiceNotifier({ NOTIFY_SOCKET: "/n" }, NO_KOFFI, fail), {
    name: "StartupError",
    message: /^NOTIFY_SOCKET is set, .* koffi is not installed .*Type=exec in the unit instead of Type=notify/,
  });
});

/** Undefined, after a skip, where there is no koffi. */
async function openSocket(context: TestContext, address?: string): Promise<NotifySocket | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "comanche-notify-"));
  const opened = await openNotifySocket(address ?? join(directory, "notify"));
  context.after(async () => {
    if (opened.kind === "open") await opened.socket.close();
    rmSync(directory, { recursive: true });
  });
  if (opened.kind === "open") return opened.socket;
  context.skip(opened.why);
  return undefined;
}

for (const [name, address] of [
  ["a path", undefined],
  ["an abstract name", `@comanche-test-${process.pid}`],
] as const) {
  test(`openServiceNotifier: messages arrive at ${name}`, async (context) => {
    const socket = await openSocket(context, address);
    if (socket === undefined) return;
    const environment = { NOTIFY_SOCKET: socket.address, WATCHDOG_USEC: "4000", WATCHDOG_PID: "", HOME: "/" };
    const notifier = openServiceNotifier(environment, await loadNative(), fail);
    assert.deepEqual(environment, { HOME: "/" }, "no other process inherits the variables");
    notifier.ready("serves ä");
    const pings = (text: string): boolean => text === "WATCHDOG=1";
    assert.equal((await socket.waitFor(pings)).pid, process.pid);
    await socket.waitFor(pings, socket.received.length);
    notifier.close();
    assert.equal(socket.received[0]?.text, `READY=1\nMAINPID=${process.pid}\nSTATUS=serves ä`);
  });
}

test("openServiceNotifier: a manager that reads slowly gets every message, and the server never waits for it", async (context) => {
  const socket = await openSocket(context);
  if (socket === undefined) return;
  const notifier = openServiceNotifier({ NOTIFY_SOCKET: socket.address }, await loadNative(), fail);
  // More at once than the queue of a socket holds (net.unix.max_dgram_qlen), and few enough to wait here.
  for (let count = 1; count <= 60; count++) notifier.status(String(count));
  await socket.waitFor((text) => text === "STATUS=60");
  assert.deepEqual(
    socket.received.map(({ text }) => text),
    Array.from({ length: 60 }, (_, index) => `STATUS=${index + 1}`),
  );
  notifier.close();
});

test("openServiceNotifier: a socket that has gone away is reported, not thrown", async (context) => {
  const socket = await openSocket(context);
  if (socket === undefined) return;
  const troubles: string[] = [];
  const notifier = openServiceNotifier({ NOTIFY_SOCKET: socket.address }, await loadNative(), (text) =>
    troubles.push(text),
  );
  await socket.close();
  notifier.status("one");
  notifier.status("two");
  assert.equal(troubles.length, 1);
  assert.match(troubles[0] ?? "", /ENOENT/);
});
