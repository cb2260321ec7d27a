// Not in --quick: each case confines a process of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { runAs } from "../../src/system/account.ts";
import { attributesOf } from "../../src/system/landlock.ts";
import { loadNative } from "../../src/system/native.ts";
import type { PrivilegePlan } from "../../src/system/privilege-plan.ts";
import { preparePrivileges } from "../../src/system/privileges.ts";
import { prepareSandbox } from "../../src/system/sandbox.ts";
import { prepareUploadDirectories } from "../../src/system/upload-directories.ts";
import { ALLOWED, ConfinedProcess, openPlaces, REFUSED, threadStatuses, UNSEEN } from "../support/confinement.ts";
import type { Attempts, ProbeOrder, ProbeReport } from "../support/confinement-probe.ts";
import { linkTo, makeTree } from "../support/file-tree.ts";
import { onlyRoot } from "../support/root.ts";
import { settingsFrom } from "../support/settings-from.ts";

const loaded = await loadNative();
const landlockVersion = loaded.kind === "native" ? loaded.native.landlockVersion() : 0;
const NO_SANDBOX = loaded.kind === "missing" ? loaded.why : landlockVersion < 6 ? "no Landlock of version 6" : false;

/** An account that every system has, and one that none has. */
const DAEMON = 1;
const STRANGER = 4242;
const AS_STRANGER = ["setpriv", `--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups"];
const WITH_CAPABILITY = [...AS_STRANGER, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"];
const isRoot = process.geteuid?.() === 0;
const CLOSED = isRoot && !isOpenTo(STRANGER) ? "this checkout is closed to other users" : false;

function isOpenTo(uid: number): boolean {
  const thisFile = new URL(import.meta.url);
  return runAs({ uid, gid: uid, groups: [uid] }, () => {
    try {
      return readFileSync(thisFile).length > 0;
    } catch {
      return false;
    }
  });
}

interface Scene {
  readonly top: AbsolutePath;
  readonly child: ConfinedProcess;
  readonly notice: string;
}

interface Cast {
  readonly configuration: string;
  /** The command that starts the process as another; none: as who runs the test. */
  readonly launcher?: readonly string[];
  /** Whom it becomes. */
  readonly becomes: number;
}

/**
 * A site, a folder outside that everybody may write to, a port that somebody listens on, another process of the same user,
 * and a confined process.
 */
async function setScene(t: TestContext, { configuration, launcher = [], becomes }: Cast): Promise<Scene> {
  const top = makeTree(t, { "www/site/page": "served", "www/site/up/": "", "outside/victim": "victim", "conf/": "" });
  chmodSync(top, 0o755);
  chmodSync(`${top}/outside`, 0o777);
  chmodSync(`${top}/outside/victim`, 0o666);
  chmodSync(`${top}/www/site/up`, 0o777);
  const settings = settingsFrom(
    absolutePath(`${top}/conf`),
    `[main]\n${configuration.replaceAll("TOP", top)}\nupload-dir = up\n`,
  );
  const { privileges } = await preparePrivileges(settings.server);
  assert.deepEqual(prepareUploadDirectories(settings, privileges), []);
  const { confinement, notice } = await prepareSandbox(settings, privileges);

  const listener = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  const child = await ConfinedProcess.start(
    { privileges, confinement },
    {
      ...placesOf(top, privileges),
      pid: startNeighbour(t, becomes),
      port: (listener.address() as AddressInfo).port,
      threads: 0,
    },
    launcher,
  );
  t.after(() => child.stop());
  return { top, child, notice };
}

function placesOf(
  top: AbsolutePath,
  { chroot }: PrivilegePlan,
): Pick<ProbeOrder, "secret" | "outside" | "served" | "uploads"> {
  const site = chroot === undefined ? `${top}/www/site` : "/site";
  return { secret: "/etc/passwd", outside: `${top}/outside`, served: `${site}/page`, uploads: `${site}/up` };
}

/** A process that only the sandbox keeps another of the user from signalling. */
function startNeighbour(t: TestContext, uid: number): number {
  const account = isRoot ? { uid, gid: uid } : {};
  const neighbour = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
    stdio: ["pipe", "ignore", "ignore"],
    ...account,
  });
  t.after(() => neighbour.stdin.end());
  assert.ok(neighbour.pid !== undefined);
  return neighbour.pid;
}

/** Each thread must have come to the same. */
function assertEverywhere(report: ProbeReport, want: Attempts, becomeRoot: string): void {
  assert.deepEqual(report.loop, { ...want, "become root": becomeRoot });
  const inPool = Object.entries(want).filter(([name]) => name in report.threadPool);
  assert.ok(inPool.length >= 5);
  assert.deepEqual(report.threadPool, Object.fromEntries(inPool));
  assert.ok(report.threads.length > 0);
  for (const attempts of report.threads) assert.deepEqual(attempts, want);
}

/** libuv's four, V8's, and the task thread with its own. */
const LEAST_THREADS = 8;

function assertThreads(pid: number, uid: number): void {
  const statuses = threadStatuses(pid);
  assert.ok(statuses.length >= LEAST_THREADS, `${statuses.length} threads`);
  for (const { uids, gids, groups, capabilities, hasNoNewPrivileges } of statuses) {
    assert.deepEqual([uids, gids], [Array(4).fill(uid), Array(4).fill(uid)]);
    assert.ok(
      groups.every((group) => group === uid),
      `groups ${groups}`,
    );
    const { bounding, ...others } = capabilities;
    assert.deepEqual(others, { inheritable: 0n, permitted: 0n, effective: 0n, ambient: 0n });
    if (isRoot && uid === 0) assert.equal(bounding, 0n);
    assert.ok(hasNoNewPrivileges);
  }
}

/** No descriptor leads out. Where there is no /dev/null, libuv keeps one of `/`, which is the chroot, in reserve. */
function assertNoWayOut(pid: number, top: AbsolutePath): void {
  const ways = openPlaces(pid).filter((place) => place.startsWith("/") && !place.startsWith("/dev/"));
  assert.deepEqual(
    ways.filter((place) => place !== `${top}/www`),
    [],
  );
}

const HERE = process.geteuid?.() ?? 0;
const SITE = "docbase = TOP/www/site";
const casts: [name: string, cast: Cast, want: Attempts, becomeRoot: string, skip: string | false][] = [
  [
    "as root who becomes a user",
    { configuration: `${SITE}\nsandbox = yes\nuser = daemon`, becomes: DAEMON },
    REFUSED,
    "EPERM",
    onlyRoot,
  ],
  ["as root who stays root", { configuration: `${SITE}\nsandbox = yes`, becomes: 0 }, REFUSED, "done", onlyRoot],
  [
    "as root who becomes a user in a chroot",
    { configuration: "docbase = /site\nchroot = TOP/www\nsandbox = yes\nuser = daemon", becomes: DAEMON },
    UNSEEN,
    "EPERM",
    onlyRoot,
  ],
  [
    "as an ordinary user",
    isRoot
      ? { configuration: `${SITE}\nsandbox = yes`, launcher: AS_STRANGER, becomes: STRANGER }
      : { configuration: `${SITE}\nsandbox = yes`, becomes: HERE },
    REFUSED,
    "EPERM",
    false,
  ],
  [
    "as an ordinary user who was given a capability",
    { configuration: `${SITE}\nsandbox = yes`, launcher: WITH_CAPABILITY, becomes: STRANGER },
    REFUSED,
    "EPERM",
    onlyRoot,
  ],
];
for (const [name, cast, want, becomeRoot, skip] of casts) {
  test(`every thread of a worker is confined: ${name}`, { skip: skip || NO_SANDBOX || CLOSED }, async (t) => {
    const { top, child, notice } = await setScene(t, cast);
    const report = await child.probe();
    assertEverywhere(report, { ...ALLOWED, ...want }, becomeRoot);
    assertThreads(child.pid, cast.becomes);
    assertNoWayOut(child.pid, top);
    assert.equal(readFileSync(`${top}/outside/victim`, "utf8"), "victim");
    assert.match(
      notice,
      /^sandbox: Landlock \d+: reads what it serves and writes uploads; no new privileges; no capabilities$/,
    );
  });
}

test("what the probe tries succeeds without a sandbox", { skip: CLOSED }, async (t) => {
  const cast = isRoot ? { launcher: AS_STRANGER, becomes: STRANGER } : { becomes: HERE };
  const { child, notice } = await setScene(t, { configuration: `${SITE}\nsandbox = no`, ...cast });
  const report = await child.probe();
  const done = Object.fromEntries([...Object.keys(ALLOWED), ...Object.keys(REFUSED)].map((name) => [name, "done"]));
  // The first has made it already.
  const again = { ...done, "make a folder": "EEXIST" };
  const { "become root": becomeRoot, ...loop } = report.loop;
  const made = [loop, ...report.threads].map((attempts) => attempts["make a folder"]);
  assert.deepEqual(made.toSorted(), ["EEXIST", "done"]);
  for (const attempts of [loop, ...report.threads]) assert.deepEqual({ ...attempts, "make a folder": "EEXIST" }, again);
  assert.ok(Object.values(report.threadPool).every((outcome) => outcome === "done"));
  assert.equal(becomeRoot, "EPERM");
  assert.equal(notice, "no sandbox: sandbox = no");
});

const replacements: [name: string, replace: (top: string) => void][] = [
  [
    "by renaming",
    (top) => {
      renameSync(`${top}/www/site`, `${top}/www/old`);
      mkdirSync(`${top}/www/site`);
      writeFileSync(`${top}/www/site/page`, "new");
    },
  ],
  [
    "by a link to a folder beside it",
    (top) => {
      mkdirSync(`${top}/www/next`);
      writeFileSync(`${top}/www/next/page`, "new");
      renameSync(`${top}/www/site`, `${top}/www/old`);
      symlinkSync("next", `${top}/www/site`);
    },
  ],
];
for (const [name, replace] of replacements) {
  test(`a docbase that is replaced ${name} can be read`, { skip: NO_SANDBOX || CLOSED }, async (t) => {
    const cast = isRoot ? { launcher: AS_STRANGER, becomes: STRANGER } : { becomes: HERE };
    const { top, child } = await setScene(t, { configuration: SITE, ...cast });
    replace(top);
    const { loop } = await child.probe();
    assert.equal(loop["read what is served"], "done");
    assert.equal(loop["read a secret"], "EACCES");
  });
}

test("the system takes what its version of Landlock has, and nothing unheard of", { skip: NO_SANDBOX }, () => {
  assert.ok(loaded.kind === "native");
  assert.equal(loaded.native.acceptsLandlock(attributesOf(landlockVersion)), true);
  assert.equal(loaded.native.acceptsLandlock({ fileSystem: 2 ** 40, network: 0, scoped: 0 }), false);
});

// ---- what is looked up for the plan

const holders: [name: string, docbase: string, mode: number, want: readonly string[]][] = [
  ["the folder around the docbase", "www/site", 0o755, ["www/site", "www"]],
  ["not one that others may not list", "www/site", 0o711, ["www/site"]],
  ["around the link and around where it leads", "current", 0o755, ["current", "www/site", ".", "www"]],
];
for (const [name, docbase, mode, want] of holders) {
  test(`prepareSandbox: reads ${name}`, { skip: NO_SANDBOX }, async (t) => {
    const top = makeTree(t, { "www/site/": "", current: linkTo("www/site") });
    chmodSync(top, 0o755);
    chmodSync(`${top}/www`, mode);
    const settings = settingsFrom(top, `[main]\ndocbase = ${docbase}\nupload = no\n`);
    const { confinement } = await prepareSandbox(settings, { chroot: undefined, account: undefined });
    const paths = confinement?.landlock?.rules.map(({ path }) => path);
    assert.deepEqual(
      paths,
      want.map((path) => (path === "." ? top : `${top}/${path}`)),
    );
  });
}

test("prepareSandbox: a folder that everybody has something in is not read as a whole", {
  skip: NO_SANDBOX,
}, async (t) => {
  const settings = settingsFrom(makeTree(t), "[main]\ndocbase = /tmp/none\nupload = no\n");
  const { confinement } = await prepareSandbox(settings, { chroot: undefined, account: undefined });
  assert.deepEqual(
    confinement?.landlock?.rules.map(({ path }) => path),
    ["/tmp/none"],
  );
});

test("prepareSandbox: root keeps what it needs for a docbase that is closed to it", {
  skip: onlyRoot || NO_SANDBOX,
}, async (t) => {
  const top = makeTree(t, { "home/site/up/": "" });
  chownSync(`${top}/home`, STRANGER, STRANGER);
  chmodSync(`${top}/home`, 0o700);
  const settings = settingsFrom(top, "[main]\ndocbase = home/site\nupload-dir = up\n");
  const { confinement, notice } = await prepareSandbox(settings, { chroot: undefined, account: undefined });
  assert.deepEqual(confinement?.keptCapabilities, [2, 1]);
  assert.match(
    notice,
    /no capabilities but CAP_DAC_READ_SEARCH, to read \/.*\/home\/site, and CAP_DAC_OVERRIDE, to write /,
  );
});
