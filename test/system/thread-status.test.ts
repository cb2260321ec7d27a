import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { parseThreadStatus, type ThreadStatus, ThreadStatusFiles } from "../../src/system/thread-status.ts";

const TEXT = `Name:\tUid:\t7
Umask:\t0022
Pid:\t12
Uid:\t33\t34\t35\t36
Gid:\t40\t41\t42\t43
FDSize:\t64
Groups:\t4 24 27 
CapInh:\t0000000000000000
CapPrm:\t00000000000000c4
CapEff:\t0000000000000004
CapBnd:\t000001fffeffffff
CapAmb:\t0000000000000001
NoNewPrivs:\t1
Seccomp:\t0
`;
const STATUS: ThreadStatus = {
  uids: [33, 34, 35, 36],
  gids: [40, 41, 42, 43],
  groups: [4, 24, 27],
  capabilities: { inheritable: 0n, permitted: 0xc4n, effective: 4n, bounding: 0x1fffeffffffn, ambient: 1n },
  hasNoNewPrivileges: true,
};

const cases: [name: string, text: string, want: ThreadStatus | undefined][] = [
  ["all lines", TEXT, STATUS],
  ["no groups", TEXT.replace("4 24 27 ", ""), { ...STATUS, groups: [] }],
  ["may gain privileges", TEXT.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"), { ...STATUS, hasNoNewPrivileges: false }],
  ["a line is missing", TEXT.replace("CapAmb", "CapX"), undefined],
  ["a user is missing", TEXT.replace("\t36", ""), undefined],
  ["a user is no number", TEXT.replace("\t36", "\t-1"), undefined],
  ["a mask is no mask", TEXT.replace("00c4", "00g4"), undefined],
  ["nothing", "", undefined],
];
for (const [name, text, want] of cases) {
  test(`parseThreadStatus: ${name}`, () => assert.deepEqual(parseThreadStatus(text), want));
}

test("parseThreadStatus: reads what is written", () => {
  const id = fc.integer({ min: 0, max: 2 ** 32 - 2 });
  const four = fc.array(id, { minLength: 4, maxLength: 4 });
  const mask = fc.bigInt(0n, 2n ** 64n - 1n);
  // Without this option fast-check makes some records without prototype, which no parser does.
  const plain = { noNullPrototype: true };
  const sets = { inheritable: mask, permitted: mask, effective: mask, bounding: mask, ambient: mask };
  const status = fc.record(
    {
      uids: four,
      gids: four,
      groups: fc.array(id),
      capabilities: fc.record(sets, plain),
      hasNoNewPrivileges: fc.boolean(),
    },
    plain,
  );
  fc.assert(fc.property(status, (wanted) => assert.deepEqual(parseThreadStatus(format(wanted)), wanted)));
});

test("parseThreadStatus: whatever the text, it is read or refused", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom(...TEXT.split("\n")), fc.constant("\n"));
  fc.assert(fc.property(fc.array(piece), (pieces) => void parseThreadStatus(pieces.join(""))));
});

function format({ uids, gids, groups, capabilities, hasNoNewPrivileges }: ThreadStatus): string {
  const hex = (value: bigint) => value.toString(16).padStart(16, "0");
  const { inheritable, permitted, effective, bounding, ambient } = capabilities;
  return [
    "Name:\tnode",
    `Uid:\t${uids.join("\t")}`,
    `Gid:\t${gids.join("\t")}`,
    `Groups:\t${groups.map((group) => `${group} `).join("")}`,
    `CapInh:\t${hex(inheritable)}`,
    `CapPrm:\t${hex(permitted)}`,
    `CapEff:\t${hex(effective)}`,
    `CapBnd:\t${hex(bounding)}`,
    `CapAmb:\t${hex(ambient)}`,
    `NoNewPrivs:\t${hasNoNewPrivileges ? 1 : 0}`,
    "",
  ].join("\n");
}

const withoutProc = process.platform === "linux" ? false : "/proc is Linux's";

test("ThreadStatusFiles: every thread is read, also one that started later, and none that has ended", {
  skip: withoutProc,
}, async () => {
  const files = new ThreadStatusFiles();
  const before = readdirSync("/proc/self/task").length;
  assert.equal(files.read().length, before);
  const thread = new Worker("require('node:worker_threads').parentPort.on('message', () => {}).postMessage(0)", {
    eval: true,
  });
  await once(thread, "message");
  const more = files.read();
  assert.ok(more.length > before);
  assert.ok(more.every(({ uids }) => uids.every((uid) => uid === process.getuid?.())));
  await thread.terminate();
  assert.equal(files.read().length, before);
  files.close();
});

test("ThreadStatusFiles: closes what it has opened", { skip: withoutProc }, () => {
  const files = new ThreadStatusFiles();
  assert.ok(openStatuses().length > 0);
  files.close();
  assert.deepEqual(openStatuses(), []);
});

function openStatuses(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.endsWith("/status") ? [path] : [];
    } catch {
      // The listing's own, closed by now.
      return [];
    }
  });
}

test("parseThreadStatus: reads what this kernel writes", { skip: withoutProc }, () => {
  const status = parseThreadStatus(readFileSync("/proc/self/status", "latin1"));
  assert.equal(status?.uids[0], process.getuid?.());
  assert.equal(status?.gids[1], process.getegid?.());
});
