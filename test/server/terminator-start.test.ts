/**
 * Starts of `comanche tls`: those that are refused end with status 1 and one sentence, and what hitch refuses too is held
 * against it. What is said at a start, and how it ends.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Endpoint } from "../../src/base/endpoint.ts";
import {
  ComancheCommand,
  type CommandEnd,
  ordinaryUserCannotRun,
  ordinaryUserId,
} from "../support/comanche-command.ts";
import { makeTree } from "../support/file-tree.ts";
import { endProcess } from "../support/live-server.ts";
import { childrenOf, isRunning, statusOf } from "../support/process-facts.ts";
import { onlyRoot } from "../support/root.ts";
import { Backend } from "../support/terminator-backend.ts";
import { assertJoined, call, close, tunnel } from "../support/terminator-caller.ts";
import { printed, runComanche, startComanche } from "../support/terminator-comanche.ts";
import { hitchIsMissing, tryHitch } from "../support/terminator-hitch.ts";
import { keyPath, readKey } from "../support/tls-client.ts";
import { until } from "../support/until.ts";

/** Where nobody is needed. */
const NOWHERE: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 1 };

/** Runs it to its end, though it might serve. */
async function runToEnd(t: TestContext, args: readonly string[], cwd = "/"): Promise<CommandEnd> {
  const command = runComanche(t, cwd, args);
  const late = setTimeout(() => command.signal("SIGTERM"), 60_000);
  return command.end.finally(() => clearTimeout(late));
}

function assertRefused({ status, standardOutput, standardError }: CommandEnd, said: RegExp): void {
  const lines = standardError.trimEnd().split("\n");
  assert.deepEqual([status, standardOutput, lines.length], [1, "", 1], standardError + standardOutput);
  assert.match(lines[0] ?? "", said);
  assert.doesNotMatch(standardError, /:error:|\.c:\d+|^ +at /m);
}

// ---- refused

interface Refused {
  readonly what: string;
  /** Of test/keys; p256.pem without. */
  readonly pem?: string;
  readonly flags?: readonly string[];
  readonly said: RegExp;
  /** Of hitch's configuration, for the same. */
  readonly lines?: readonly string[];
}

const REFUSED_BY_BOTH: readonly Refused[] = [
  {
    what: "a protocol version that there is not",
    flags: ["--tls-min-version", "1.9"],
    said: /--tls-min-version=1\.9: expected one of 1\.2, 1\.3\b/,
    lines: ["tls-protos = TLSv9"],
  },
  {
    what: "an unknown cipher",
    flags: ["--ciphers", "NO-SUCH-CIPHER"],
    said: /ciphers: OpenSSL knows no NO-SUCH-CIPHER$/m,
    lines: ['ciphers = "NO-SUCH-CIPHER"'],
  },
  {
    what: "a key of another certificate",
    pem: "wrong-key.pem",
    said: /\/wrong-key\.pem: the key does not belong to the certificate$/,
  },
  { what: "no key in the file", pem: "ca.pem", said: /\/ca\.pem: no private key found/ },
  { what: "no certificate in the file", pem: "ffdhe2048.pem", said: /\/ffdhe2048\.pem: no certificate found/ },
  { what: "no such file", pem: "gone.pem", said: /cannot read \S+\/gone\.pem: no such file/ },
  {
    what: "two ways to tell who the client is",
    flags: ["--write-ip", "--write-proxy"],
    said: /--write-ip.*--write-proxy.*: expected only one of them|expected only one of them/,
    lines: ["write-ip = on", "write-proxy-v1 = on"],
  },
];

for (const { what, pem = "p256.pem", flags = [], lines = [], said } of REFUSED_BY_BOTH) {
  test(`comanche tls: a start that is refused: ${what}`, async (t) => {
    assertRefused(await runToEnd(t, ["-f", "127.0.0.1,0", ...flags, keyPath(pem)]), said);
  });

  test(`hitch: a start that is refused: ${what}`, { skip: hitchIsMissing }, (t) => {
    const { status, said: output } = tryHitch(t, { backend: NOWHERE, pems: [pem] }, lines);
    assert.equal(status, 1, output);
  });
}

const REFUSED: readonly (readonly [what: string, args: readonly string[], said: RegExp])[] = [
  ["no PEM file", [], /expected a PEM file/],
  ["an unknown option", ["--tls-min-versoin", "1.2", keyPath("p256.pem")], /unknown option.*--tls-min-version/],
  [
    "a protocol name with a blank",
    ["--alpn", "h2 spdy?", keyPath("p256.pem")],
    /--alpn=h2 spdy\?: expected .* the name of a protocol/,
  ],
  ["no host for the backend", ["-b", "*,8000", keyPath("p256.pem")], /--backend=\*,8000: expected HOST,PORT/],
];

for (const [what, args, said] of REFUSED) {
  test(`comanche tls: a start that is refused: ${what}`, async (t) => {
    assertRefused(await runToEnd(t, ["-f", "127.0.0.1,0", ...args]), said);
  });
}

test("comanche tls: a start that is refused: a key that only root can read, without root", {
  skip: onlyRoot || ordinaryUserCannotRun,
}, async (t) => {
  const top = makeTree(t, { "secret.pem": readKey("p256.pem") });
  chmodSync(top, 0o755);
  chmodSync(`${top}/secret.pem`, 0o600);
  const identity = ordinaryUserId === undefined ? {} : { userId: ordinaryUserId };
  const command = new ComancheCommand(["tls", "-f", "127.0.0.1,0", "secret.pem"], { cwd: top, ...identity });
  t.after(() => command.kill());
  assertRefused(await command.end, /cannot read \S+\/secret\.pem: permission denied/);
});

test("comanche tls: a start that is refused: a port that is taken", async (t) => {
  const { port } = await startComanche(t, { backend: NOWHERE });
  const end = await runToEnd(t, ["-f", `127.0.0.1,${port}`, keyPath("p256.pem")]);
  assertRefused(end, new RegExp(`127\\.0\\.0\\.1.*${port}.*in use`));
});

// ---- not begun

const TOLD: readonly (readonly [what: string, args: readonly string[], output: RegExp])[] = [
  ["--help", ["--help"], /^comanche tls: .*--write-proxy-v2/s],
  ["--version", ["--version"], /^(comanche )?\d+\.\d+\.\d+\n$/i],
];

for (const [what, args, output] of TOLD) {
  test(`comanche tls ${what}: to the standard output, with status 0`, async (t) => {
    const { status, standardOutput, standardError } = await runToEnd(t, args);
    assert.deepEqual([status, standardError], [0, ""]);
    assert.match(standardOutput, output);
  });
}

test("comanche tls --test: a good configuration ends with 0, and nobody listens", async (t) => {
  const backend = await Backend.start(t, "waits");
  // Taken already: it is not bound.
  const taken = `127.0.0.1,${backend.port}`;
  const { status, standardError } = await runToEnd(t, ["--test", "-f", taken, keyPath("p256.pem")]);
  assert.equal(status, 0, standardError);
});

test("comanche tls --test: a bad one ends with 1", async (t) => {
  assertRefused(await runToEnd(t, ["-t", keyPath("wrong-key.pem")]), /the key does not belong to the certificate$/);
});

// ---- begun

test("comanche tls: the start line has both ends; TERM ends it with 0", async (t) => {
  const { port, command } = await startComanche(t, { backend: NOWHERE });
  command.signal("SIGTERM");
  const { status, signal, standardError } = await command.end;
  assert.deepEqual([status, signal], [0, null], standardError);
  const line = `Comanche \\d+\\.\\d+\\.\\d+ ends TLS at 127\\.0\\.0\\.1:${port} for 127\\.0\\.0\\.1,1$`;
  assert.match(standardError, new RegExp(line, "m"));
});

test("comanche tls --quiet prints nothing", async (t) => {
  const top = makeTree(t);
  const command = runComanche(t, top, ["-q", "-f", "127.0.0.1,0", "--pidfile", "pid", keyPath("p256.pem")]);
  // A server that is ended before it listens has a reason to print something.
  const state = `${top}/pid.state`;
  await until("it serves", () => existsSync(state) && /"phase":\s*"serving"/.test(readFileSync(state, "utf8")));
  command.signal("SIGTERM");
  const { standardOutput, standardError } = await command.end;
  assert.deepEqual([standardOutput, standardError], ["", ""]);
});

test("comanche tls: a certificate out of its time is warned of, and shown", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place, pems: ["expired.pem"] });
  await printed(command, /expired\.pem: the certificate expired on /);
  const joined = await tunnel(t, port, backend);
  await assertJoined(joined);
  assert.deepEqual([joined.client.agreed.name, joined.client.agreed.isTrusted], ["expired", false]);
});

test("comanche tls --daemon: the command ends when it serves, TERM ends the daemon, the PID file goes", async (t) => {
  const top = makeTree(t);
  const backend = await Backend.start(t, "waits");
  const place = ["-f", "127.0.0.1,0", "-b", `127.0.0.1,${backend.port}`, "--pidfile", "pid"];
  t.after(() => {
    if (!existsSync(`${top}/pid`)) return;
    const pid = Number(readFileSync(`${top}/pid`, "latin1"));
    for (const each of [pid, ...childrenOf(pid)]) endProcess(each);
  });
  const { status, standardOutput, standardError } = await runToEnd(t, ["--daemon", ...place, keyPath("p256.pem")], top);
  assert.equal(status, 0, standardError);
  const port = Number(/ends TLS at 127\.0\.0\.1:(\d+) for /.exec(standardOutput)?.[1]);
  const joined = await tunnel(t, port, backend);
  await assertJoined(joined);
  await close(joined);
  const pid = Number(readFileSync(`${top}/pid`, "latin1"));
  process.kill(pid, "SIGTERM");
  await until("it has gone", () => !isRunning(pid));
  assert.equal(existsSync(`${top}/pid`), false);
});

test("comanche tls: as another user in a chroot, with a key that only root may read", { skip: onlyRoot }, async (t) => {
  const top = makeTree(t, { "secret.pem": readKey("p256.pem"), "jail/": "" });
  chmodSync(`${top}/secret.pem`, 0o600);
  const backend = await Backend.start(t, "waits");
  const identity = ["-u", "daemon", "-r", `${top}/jail`, `${top}/secret.pem`];
  const { port, pid } = await startComanche(t, { backend: backend.place, pems: [] }, identity);
  await assertJoined(await tunnel(t, port, backend));
  const [worker = 0] = childrenOf(pid);
  assert.equal(statusOf(worker).get("Uid")?.split("\t")[1], DAEMON);
});

/** An account that every system has. */
const DAEMON = "1";

test("comanche tls --max-connections: one more is cut, until there is room", async (t) => {
  const backend = await Backend.start(t, "waits");
  const { port, command } = await startComanche(t, { backend: backend.place }, ["--max-connections", "1"]);
  const first = await tunnel(t, port, backend);
  await assertJoined(first);
  const second = await call(t, port);
  await second.end.ending();
  await printed(command, /too many connections/);
  assert.equal(backend.count, 1);
  await assertJoined(first);
  await close(first);
  await assertJoined(await tunnel(t, port, backend));
});
