/**
 * Logs that are moved away under load, as logrotate does it, with USR1 afterwards: every request has its line, whole and
 * once, in one of the files.
 */
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fetching } from "../support/errands.ts";
import { LiveServer } from "../support/live-server.ts";
import { rounds, timeFor } from "../support/rounds.ts";
import { randomFor } from "../support/seed.ts";
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

test(`${ROTATIONS} rotations of the logs under load: a line for each request, whole and once`, {
  ...timeFor(180_000, 600_000),
}, async (t) => {
  const server = await LiveServer.start(t, { configuration: { processes: String(PROCESSES) } });
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
  for (let round = 1; round <= ROTATIONS; round += 1) {
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
});

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
  const said = /cannot open \S+\/logs\/access anew: no such file or directory; the old file stays in use$/m;
  await until("the events say so", () => said.test(server.events));
  assert.equal((await ask(server.port, fetching("/small.txt?1", SMALL))).status, 200);
  assert.equal((await server.stop()).status, 0);
  assert.match(readFileSync(`${server.top}/moved/access`, "utf8"), new RegExp(LINE, "m"));
});
