/**
 * Logs that are moved away under load, as logrotate does it, with USR1 afterwards: every request has its line, whole and
 * once, in one of the files.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
} from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { loadNative } from "../../src/system/native.ts";
import { scriptPath } from "../support/child-script.ts";
import { openPlaces } from "../support/confinement.ts";
import { fetching } from "../support/errands.ts";
import { type LiveOptions, LiveServer } from "../support/live-server.ts";
import { onlyRoot } from "../support/root.ts";
import { rounds, timeFor } from "../support/rounds.ts";
import { randomFor } from "../support/seed.ts";
import { mountSmall, mountsAreNotAllowed } from "../support/small-disk.ts";
import { until } from "../support/until.ts";
import { ask, type Manner, Visitors } from "../support/visitors.ts";

const ROTATIONS = rounds(6, 300);
const PROCESSES = 2;
const LONGEST_PAUSE_MS = 150;
const SMALL = Buffer.from("small");
const random = randomFor("log-rotation");

const MANNERS: readonly Manner[] = [
  { kind: "keeping" },
  { kind: "keeping" },
  { kind: "keeping" },
  { kind: "pausing", longest: 30 },
  { kind: "fresh" },
  { kind: "fresh" },
];

const hasKoffi = (await loadNative()).kind === "native";

const LINE =
  /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET \/small\.txt\?(\d+) HTTP\/1\.1" 200 5$/;
const EVENT = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] |^ {4}/;

/** Of all files of that name, with or without a number. */
function linesOf(top: string, name: string): readonly string[] {
  const files = readdirSync(top).filter((each) => new RegExp(`^${name}(\\.\\d+)?$`).test(each));
  return files.flatMap((file) => {
    const text = readFileSync(`${top}/${file}`, "utf8");
    assert.ok(text === "" || text.endsWith("\n"), `${file} ends in the middle of a line`);
    return text.split("\n").slice(0, -1);
  });
}

interface Case {
  readonly name: string;
  /** Whether workers hold the file after a rotation. */
  readonly isHanded: boolean;
  readonly rotations: number;
  readonly skip: string | false;
  readonly options: LiveOptions;
}

const CASES: readonly Case[] = [
  { name: "", isHanded: hasKoffi, rotations: ROTATIONS, skip: false, options: {} },
  {
    name: " without koffi",
    isHanded: false,
    rotations: ROTATIONS,
    skip: false,
    options: { environment: { NODE_OPTIONS: `--import=${scriptPath("without-koffi")}` } },
  },
  {
    name: " by workers of another user in a chroot",
    isHanded: true,
    rotations: rounds(6, 100),
    skip: onlyRoot || (hasKoffi ? false : "no koffi"),
    options: {
      files: { "jail/htdocs/small.txt": "small" },
      configuration: { docbase: "/htdocs", chroot: "jail", user: "daemon" },
      prepare: (top) => {
        for (const folder of [top, `${top}/jail`, `${top}/jail/htdocs`]) chmodSync(folder, 0o755);
      },
    },
  },
];

for (const { name, isHanded, rotations, skip, options } of CASES) {
  test(
    `${rotations} rotations of the logs under load${name}: a line for each request, whole and once`,
    {
      ...timeFor(180_000, 600_000),
      skip,
    },
    (t) => rotateUnderLoad(t, rotations, isHanded, options),
  );
}

async function rotateUnderLoad(
  t: TestContext,
  rotations: number,
  isHanded: boolean,
  options: LiveOptions,
): Promise<void> {
  const configuration = { ...options.configuration, processes: String(PROCESSES) };
  const server = await LiveServer.start(t, { ...options, configuration });
  const { top } = server;
  let serial = 0;
  const visitors = new Visitors({
    port: server.port,
    manners: MANNERS,
    errand: () => {
      serial += 1;
      return fetching(`/small.txt?${serial}`, SMALL);
    },
  });
  t.after(() => visitors.stop());
  for (let round = 1; round <= rotations; round += 1) {
    await setTimeout(random() * LONGEST_PAUSE_MS);
    for (const name of ["access", "errors"]) {
      renameSync(`${top}/${name}`, `${top}/${name}.${round}`);
      // logrotate's `create`.
      if (round % 2 === 0) closeSync(openSync(`${top}/${name}`, "wx", 0o640));
    }
    server.command.signal("SIGUSR1");
    // With `create` the next one may come before this one is done.
    if (round % 4 !== 0)
      await until("the logs are open anew", () => existsSync(`${top}/access`) && /SIGUSR1/.test(tail(top)));
  }
  await visitors.stop();
  assert.deepEqual(visitors.complaints, []);
  const held = isHanded ? [`${top}/access`] : [];
  await until(
    "workers hold the file of the log, or the primary alone",
    () =>
      process.platform !== "linux" ||
      server.workers.every((pid) => {
        const logs = openPlaces(pid).filter((path) => path.startsWith(`${top}/access`));
        return isDeepStrictEqual(logs, held);
      }),
  );
  assert.equal((await server.stop()).status, 0);

  const lines = linesOf(top, "access");
  const serials = lines.map((line) => {
    const match = LINE.exec(line);
    assert.ok(match !== null, `not a line of the log: ${JSON.stringify(line)}`);
    return Number(match[1]);
  });
  const logged = new Set(serials);
  const missing = Array.from({ length: serial }, (_, index) => index + 1).filter((each) => !logged.has(each));
  assert.deepEqual(missing.slice(0, 5), [], `${missing.length} of ${serial} requests have no line`);
  assert.equal(lines.length, visitors.answered);
  for (const event of linesOf(top, "errors")) assert.match(event, EVENT);
  t.diagnostic(`${lines.length} lines`);
}

/** Of the error log as it is now; empty while there is none. */
function tail(top: string): string {
  return existsSync(`${top}/errors`) ? readFileSync(`${top}/errors`, "utf8") : "";
}

test("a log that cannot be opened anew is written on, and the events say so", { timeout: 180_000 }, async (t) => {
  const server = await LiveServer.start(t, {
    files: { "htdocs/small.txt": "small", "logs/": "" },
    configuration: { logfile: "logs/access", processes: String(PROCESSES) },
  });
  renameSync(`${server.top}/logs`, `${server.top}/moved`);
  server.command.signal("SIGUSR1");
  const said = /cannot reopen \S+\/logs\/access: no such file or directory; still writing the old file$/m;
  await until("the events say so", () => said.test(server.events));
  assert.equal((await ask(server.port, fetching("/small.txt?1", SMALL))).status, 200);
  assert.equal((await server.stop()).status, 0);
  assert.match(readFileSync(`${server.top}/moved/access`, "utf8"), new RegExp(LINE, "m"));
});

test("a log becomes a named pipe and a file again: every request has its line in one of them", {
  timeout: 30_000,
}, async (t) => {
  const server = await LiveServer.start(t, { configuration: { processes: String(PROCESSES) } });
  const { top, port } = server;
  const rotate = async (): Promise<void> => {
    const before = tail(top).match(/SIGUSR1/g)?.length ?? 0;
    server.command.signal("SIGUSR1");
    await until("the logs are open again", () => (tail(top).match(/SIGUSR1/g)?.length ?? 0) > before);
  };
  const askFor = async (first: number, last: number): Promise<void> => {
    for (let serial = first; serial <= last; serial += 1) {
      assert.equal((await ask(port, fetching(`/small.txt?${serial}`, SMALL))).status, 200);
    }
  };
  await askFor(1, 5);
  renameSync(`${top}/access`, `${top}/access.1`);
  execFileSync("mkfifo", [`${top}/access`]);
  // Its only reader is the test, which does not wait for a writer.
  const pipe = openSync(`${top}/access`, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(pipe));
  await rotate();
  await askFor(6, 10);
  let piped = "";
  await until("all lines are written", () => {
    piped += readWaiting(pipe);
    return `${readFileSync(`${top}/access.1`, "utf8")}${piped}`.split("\n").length > 10;
  });
  renameSync(`${top}/access`, `${top}/access.pipe`);
  await rotate();
  await askFor(11, 15);
  assert.equal((await server.stop()).status, 0);

  const written = ["access.1", "access"].map((name) => readFileSync(`${top}/${name}`, "utf8")).join("") + piped;
  const serials = written
    .split("\n")
    .slice(0, -1)
    .map((line) => Number(LINE.exec(line)?.[1]));
  assert.deepEqual(
    serials.toSorted((a, b) => a - b),
    Array.from({ length: 15 }, (_, index) => index + 1),
  );
});

function readWaiting(pipe: number): string {
  const buffer = Buffer.alloc(65_536);
  try {
    return buffer.toString("latin1", 0, readSync(pipe, buffer));
  } catch {
    return "";
  }
}

test("a full disk under load: each process serves on, one event tells it, and no line is torn", {
  skip: mountsAreNotAllowed,
  timeout: 60_000,
}, async (t) => {
  const disk = mountSmall(t, { bytes: 64 * 1024 });
  const server = await LiveServer.start(t, {
    configuration: { processes: String(PROCESSES), logfile: `${disk}/access` },
  });
  let serial = 0;
  const visitors = new Visitors({
    port: server.port,
    manners: MANNERS,
    errand: () => {
      serial += 1;
      return fetching(`/small.txt?${serial}`, SMALL);
    },
  });
  t.after(() => visitors.stop());
  const said = (pattern: RegExp): number => server.events.match(new RegExp(pattern, "gm"))?.length ?? 0;
  const refused = /cannot write access log \S+\/access: no space left on device; retrying every 1 s$/;
  await until("the disk is full", () => said(refused) > 0);
  await setTimeout(2500);
  assert.equal(said(refused), 1);
  const before = visitors.answered;
  await until("requests are answered all the same", () => visitors.answered > before + 100);
  execFileSync("mount", ["-o", "remount,size=64m", disk]);
  await until("the log is written again", () => said(/is writable again; lines lost: 0$/) === 1);
  const atEnd = serial;
  await until("more requests are answered", () => serial > atEnd + 100);
  await visitors.stop();
  assert.deepEqual(visitors.complaints, []);
  assert.equal((await server.stop()).status, 0);
  const lines = readFileSync(`${disk}/access`, "utf8").split("\n").slice(0, -1);
  for (const line of lines) assert.match(line, LINE);
  assert.equal(lines.length, visitors.answered);
  assert.equal(new Set(lines.map((line) => LINE.exec(line)?.[1])).size, visitors.answered);
});
