/**
 * Document roots that move while clients fetch from them, with the sandbox on: a link that is turned between two releases
 * every 50 ms, and every way in which a root or an upload directory is replaced under a running server.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ChildScript } from "../support/child-script.ts";
import { type Errand, fetching, type Reply, uploading } from "../support/errands.ts";
import type { Swap } from "../support/link-swapper.ts";
import { LiveServer } from "../support/live-server.ts";
import { onlyRoot } from "../support/root.ts";
import { isSoak, rounds, timeFor } from "../support/rounds.ts";
import { mountsAreNotAllowed } from "../support/small-disk.ts";
import { until } from "../support/until.ts";
import { ask, type Manner, Visitors } from "../support/visitors.ts";

const FETCHES = rounds(2000, 25_000);
const HANGUPS = rounds(1, 33);
const SWITCH_EVERY_MS = 50;
const DAEMON = 1;

// ---- two releases

interface Case {
  readonly symlinks: "inside" | "never";
  readonly sandbox: "auto" | "no";
  readonly isChroot: boolean;
}

const ALL_CASES: readonly Case[] = [
  { symlinks: "inside", sandbox: "auto", isChroot: false },
  { symlinks: "inside", sandbox: "no", isChroot: false },
  { symlinks: "inside", sandbox: "auto", isChroot: true },
  { symlinks: "never", sandbox: "auto", isChroot: false },
  { symlinks: "never", sandbox: "no", isChroot: false },
  { symlinks: "never", sandbox: "auto", isChroot: true },
];
/** The others run the same code with less to go wrong. */
const CASES = isSoak ? ALL_CASES : ALL_CASES.slice(0, 1);

const MANNERS: readonly Manner[] = [
  ...Array.from({ length: 5 }, () => ({ kind: "keeping" }) as const),
  { kind: "pausing", longest: 30 },
  { kind: "fresh" },
  { kind: "fresh" },
];

const SMALL = 2000;
/** More than is kept in memory, and more than the kernel takes at once. */
const LARGE = 1_000_000;
const NAMES = ["a", "b", "c", "d", "e", "f"];

/** Every byte and every name of a release tells which one it is. */
function makeReleases(folder: string): readonly Swap[] {
  for (const release of ["1", "2"]) {
    const site = `${folder}/releases/${release}/public`;
    mkdirSync(`${site}/listed`, { recursive: true });
    mkdirSync(`${site}/deep/er`, { recursive: true });
    for (const path of ["index.html", "deep/er/page"]) writeFileSync(`${site}/${path}`, release.repeat(SMALL));
    writeFileSync(`${site}/large`, release.repeat(LARGE));
    for (const name of NAMES) writeFileSync(`${site}/listed/${name}${release}`, release);
    writeFileSync(`${site}/listed/README`, `release ${release}`);
  }
  symlinkSync("releases/1", `${folder}/current`);
  return [{ kind: "link", name: `${folder}/current`, targets: ["releases/1", "releases/2"] }];
}

/** How often each release was seen. */
type Seen = Record<"1" | "2", number>;

function errandsOf(seen: Seen): readonly Errand[] {
  const errand = (path: string, releaseOf: (reply: Reply) => string | undefined, fields = ""): Errand => ({
    requestLine: `GET ${path} HTTP/1.1`,
    fields,
    body: undefined,
    judge: (reply) => {
      const told = reply.body.toString("latin1", 0, 200);
      if (reply.status !== 200) return `${path} was answered ${reply.status}: ${told}`;
      const release = releaseOf(reply);
      if (release !== "1" && release !== "2") return `${path} is of no release: ${told}`;
      seen[release] += 1;
      return undefined;
    },
  });
  const wholly = (size: number) => {
    const wholes = ["1", "2"].map((release) => [release, Buffer.alloc(size, release)] as const);
    return ({ body }: Reply) => wholes.find(([, whole]) => body.equals(whole))?.[0];
  };
  const small = wholly(SMALL);
  return [
    errand("/", small),
    errand("/index.html", small),
    errand("/deep/er/page", small),
    errand("/listed/", releaseOfListing, "Accept: application/json\r\n"),
    errand("/listed/", releaseOfPage, "Accept: text/html\r\n"),
    errand("/large", wholly(LARGE)),
  ];
}

function releaseOfListing({ body }: Reply): string | undefined {
  const { entries } = JSON.parse(body.toString()) as { readonly entries: readonly { readonly name: string }[] };
  const names = entries.map(({ name }) => name).filter((name) => name !== "README");
  return names.length === NAMES.length ? onlyOne(names.map((name) => name.slice(1))) : undefined;
}

/** Its entries and its README. */
function releaseOfPage({ body }: Reply): string | undefined {
  const page = body.toString();
  const [names, readmes] = [/href="[a-f]([12])"/g, /release ([12])/g].map((pattern) =>
    [...page.matchAll(pattern)].map(([, release = ""]) => release),
  );
  return onlyOne([...(names ?? []), ...(readmes ?? ["none"])]);
}

function onlyOne(releases: readonly string[]): string | undefined {
  const [release] = releases;
  return releases.every((each) => each === release) ? release : undefined;
}

for (const each of CASES) {
  const { symlinks, sandbox, isChroot } = each;
  const name = `symlinks = ${symlinks}, sandbox = ${sandbox}${isChroot ? ", in a chroot" : ""}`;
  test(`a root that is switched every ${SWITCH_EVERY_MS} ms under ${FETCHES} fetches: each answer is of one release: ${name}`, {
    skip: isChroot && onlyRoot,
    ...timeFor(180_000, 1_800_000),
  }, async (t) => {
    let swaps: readonly Swap[] = [];
    const site = isChroot
      ? { chroot: "jail", docbase: "/current/public", user: "daemon" }
      : { docbase: "jail/current/public" };
    const server = await LiveServer.start(t, {
      files: { "jail/": "" },
      configuration: { ...site, symlinks, sandbox, upload: "no", queue: "200", "cache-file": "64k" },
      prepare: (top) => {
        for (const folder of [top, `${top}/jail`]) chmodSync(folder, 0o755);
        swaps = makeReleases(`${top}/jail`);
      },
    });
    const swapper = new ChildScript("link-swapper", [JSON.stringify(swaps), String(SWITCH_EVERY_MS)]);
    t.after(() => swapper.kill());
    assert.equal(await swapper.nextLine(), "swapping");

    const seen: Seen = { "1": 0, "2": 0 };
    const errands = errandsOf(seen);
    const visitors = new Visitors({
      port: server.port,
      manners: MANNERS,
      // Most requests are for what is small: it is what a cache could mix up.
      errand: (visitor, turn) => errands[(turn % 20 === 0 ? turn / 20 + visitor : turn % 4) % errands.length] as Errand,
    });
    t.after(() => visitors.stop());
    const done = () => visitors.answered + visitors.faults.length;
    for (let hangups = 0; hangups < HANGUPS; hangups += 1) {
      await until("a share of the answers", () => done() >= (FETCHES * (hangups + 1)) / (HANGUPS + 1), {
        patience: timeFor(170_000, 1_700_000).timeout,
      });
      server.command.signal("SIGHUP");
    }
    await until(`${FETCHES} answers`, () => done() >= FETCHES, { patience: timeFor(170_000, 1_700_000).timeout });
    await visitors.stop();
    swapper.endInput();
    const swapped = Number(await swapper.nextLine());
    assert.deepEqual(visitors.complaints, [], server.events.slice(-3000));
    assert.ok(seen["1"] > 0 && seen["2"] > 0, `seen: ${JSON.stringify(seen)}`);
    await until("the last reload is done", () => server.state.phase === "serving");
    assert.equal(server.state.reload?.outcome, "done", server.state.reload?.message);
    assert.doesNotMatch(server.events, /error: |cannot /);
    t.diagnostic(
      `${visitors.answered} answers, ${seen["1"]} of release 1 and ${seen["2"]} of release 2; ${swapped} switches there ` +
        `and back; ${server.state.generation} generations after ${server.state.hangups} hangups`,
    );
    assert.equal((await server.stop()).status, 0);
  });
}

// ---- every way to replace a root

interface Move {
  readonly name: string;
  readonly skip?: string | false;
  /** The docbase in the folder of the case. */
  readonly docbase: string;
  /** @param site  makes a folder that says which one it is */
  readonly make: (folder: string, site: (path: string, text: string) => void) => void;
  readonly move: (folder: string, site: (path: string, text: string) => void) => void;
  /** Whether the next request is answered by the new root; otherwise soon one is. */
  readonly isAtOnce: boolean;
}

function turnLink(link: string, target: string): void {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}

const MOVES: readonly Move[] = [
  {
    name: "a link in the middle, to a release never seen before",
    docbase: "current/public",
    make: (folder, site) => {
      site(`${folder}/releases/1/public`, "old");
      symlinkSync("releases/1", `${folder}/current`);
    },
    move: (folder, site) => {
      site(`${folder}/releases/2/public`, "new");
      turnLink(`${folder}/current`, "releases/2");
    },
    isAtOnce: false,
  },
  {
    name: "the last link",
    docbase: "current",
    make: (folder, site) => {
      site(`${folder}/releases/1`, "old");
      symlinkSync("releases/1", `${folder}/current`);
    },
    move: (folder, site) => {
      site(`${folder}/releases/2`, "new");
      turnLink(`${folder}/current`, "releases/2");
    },
    isAtOnce: true,
  },
  {
    name: "links at several places, the first one turned",
    docbase: "live/site/public",
    make: (folder, site) => {
      site(`${folder}/a/1/public`, "old");
      symlinkSync("1", `${folder}/a/site`);
      symlinkSync("a", `${folder}/live`);
    },
    move: (folder, site) => {
      site(`${folder}/b/1/public`, "new");
      symlinkSync("1", `${folder}/b/site`);
      turnLink(`${folder}/live`, "b");
    },
    isAtOnce: false,
  },
  {
    name: "..data, as Kubernetes turns it",
    docbase: "volume/site",
    make: (folder, site) => {
      site(`${folder}/volume/..1/site`, "old");
      symlinkSync("..1", `${folder}/volume/..data`);
      symlinkSync("..data/site", `${folder}/volume/site`);
    },
    move: (folder, site) => {
      site(`${folder}/volume/..2/site`, "new");
      turnLink(`${folder}/volume/..data`, "..2");
      rmSync(`${folder}/volume/..1`, { recursive: true });
    },
    isAtOnce: true,
  },
  {
    name: "a build folder, deleted and made again",
    docbase: "app/dist",
    make: (folder, site) => site(`${folder}/app/dist`, "old"),
    move: (folder, site) => {
      rmSync(`${folder}/app/dist`, { recursive: true });
      site(`${folder}/app/dist`, "new");
    },
    isAtOnce: true,
  },
  {
    name: "the same below a folder of mode 0700",
    docbase: "app/dist",
    make: (folder, site) => {
      site(`${folder}/app/dist`, "old");
      if (process.geteuid?.() === 0) chownSync(`${folder}/app`, DAEMON, DAEMON);
      chmodSync(`${folder}/app`, 0o700);
    },
    move: (folder, site) => {
      rmSync(`${folder}/app/dist`, { recursive: true });
      site(`${folder}/app/dist`, "new");
    },
    isAtOnce: false,
  },
  {
    name: "the same where others may search but not list the root",
    docbase: "app/dist",
    make: (folder, site) => {
      site(`${folder}/app/dist`, "old");
      chmodSync(`${folder}/app/dist`, 0o711);
      chmodSync(`${folder}/app`, 0o711);
    },
    move: (folder, site) => {
      renameSync(`${folder}/app/dist`, `${folder}/app/former`);
      site(`${folder}/app/dist`, "new");
      chmodSync(`${folder}/app/dist`, 0o711);
    },
    isAtOnce: false,
  },
  {
    name: "a file system mounted on the root",
    skip: mountsAreNotAllowed,
    docbase: "disk/site",
    make: (folder, site) => {
      site(`${folder}/disk/site`, "old");
      chmodSync(`${folder}/disk`, 0o711);
    },
    move: (folder, site) => {
      mountDisk(`${folder}/disk/site`);
      site(`${folder}/disk/site`, "new");
    },
    isAtOnce: false,
  },
  {
    name: "a file system mounted above the root",
    skip: mountsAreNotAllowed,
    docbase: "disk/www/site",
    make: (folder, site) => site(`${folder}/disk/www/site`, "old"),
    move: (folder, site) => {
      mountDisk(`${folder}/disk`);
      site(`${folder}/disk/www/site`, "new");
    },
    isAtOnce: false,
  },
  {
    name: "the folder of all virtual hosts",
    docbase: "current/hosts",
    make: (folder, site) => {
      site(`${folder}/releases/1/hosts/dir.test`, "old");
      symlinkSync("releases/1", `${folder}/current`);
    },
    move: (folder, site) => {
      site(`${folder}/releases/2/hosts/dir.test`, "new");
      turnLink(`${folder}/current`, "releases/2");
    },
    isAtOnce: false,
  },
];

const mounted: string[] = [];

function mountDisk(place: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", place], { stdio: "pipe" });
  mounted.push(place);
}

/** The folder of the virtual hosts is the main site; each of the others is a virtual host. */
function hostOf(index: number, moves: readonly Move[]): string {
  return index === moves.length - 1 ? "dir.test" : `move${index}.test`;
}

function makeSite(path: string, text: string): void {
  mkdirSync(path, { recursive: true });
  writeFileSync(`${path}/page`, text);
}

interface Waiting {
  readonly uploads: string;
  readonly remake: (path: string) => void;
}

/** Upload directories of two more virtual hosts. */
const UPLOADS: readonly Waiting[] = [
  { uploads: "deleted/uploads", remake: () => undefined },
  {
    uploads: "made/uploads",
    remake: (path) => {
      mkdirSync(path);
      if (process.geteuid?.() === 0) chownSync(path, DAEMON, DAEMON);
    },
  },
];

/** Asked with another host in the request target, which counts more than the Host field. */
function on(host: string, errand: Errand): Errand {
  return { ...errand, requestLine: errand.requestLine.replace(" /", ` http://${host}/`) };
}

test("roots and upload directories that are replaced are served again without a reload", {
  timeout: 180_000,
}, async (t) => {
  const moves = MOVES.filter(({ skip }) => skip === undefined || skip === false);
  for (const { name, skip } of MOVES) if (typeof skip === "string") t.diagnostic(`left out: ${name}: ${skip}`);
  const isRoot = process.geteuid?.() === 0;
  const sections: string[] = [];
  // Before the tree is removed.
  t.after(() => {
    for (const place of mounted.splice(0)) execFileSync("umount", ["-l", place]);
  });
  const server = await LiveServer.start(t, {
    files: {},
    configuration: {
      docbase: `move${moves.length - 1}/current/hosts`,
      virthost: "yes",
      processes: "1",
      upload: "no",
      ...(isRoot ? { user: "daemon" } : {}),
    },
    prepare: (top) => {
      chmodSync(top, 0o755);
      for (const [index, { docbase, make }] of moves.entries()) {
        mkdirSync(`${top}/move${index}`);
        make(`${top}/move${index}`, makeSite);
        if (index < moves.length - 1)
          sections.push(`[Virtual host ${hostOf(index, moves)}]\ndocbase = move${index}/${docbase}\n`);
      }
      for (const [index, { uploads }] of UPLOADS.entries()) {
        for (const name of [uploads, `${dirname(uploads)}/site`]) mkdirSync(`${top}/${name}`, { recursive: true });
        for (const folder of [`${top}/${uploads}`, dirname(`${top}/${uploads}`)])
          if (isRoot) chownSync(folder, DAEMON, DAEMON);
        sections.push(
          `[Virtual host upload${index}.test]\ndocbase = ${dirname(uploads)}/site\nupload = /upload\nupload-dir = ${top}/${uploads}\n`,
        );
      }
      appendFileSync(`${top}/comanche.conf`, sections.join(""));
    },
  });
  const { port, top } = server;
  const upload = (index: number) => ask(port, on(`upload${index}.test`, uploading(1000)));
  const page = (index: number) => ask(port, on(hostOf(index, moves), fetching("/page", Buffer.alloc(0))));
  for (const [index, { name }] of moves.entries()) {
    const { status, body } = await page(index);
    assert.deepEqual([status, String(body)], [200, "old"], name);
  }
  for (const index of UPLOADS.keys()) assert.equal((await upload(index)).status, 201);

  for (const [index, { move }] of moves.entries()) move(`${top}/move${index}`, makeSite);
  for (const { uploads, remake } of UPLOADS) {
    rmSync(`${top}/${uploads}`, { recursive: true });
    remake(`${top}/${uploads}`);
  }
  const began = performance.now();
  const patience = began + 120_000;
  const told = () => server.events.slice(-2000);
  for (const [index, { name, isAtOnce }] of moves.entries()) {
    for (let asked = 1; ; asked += 1) {
      const { status, fields, body } = await page(index);
      if (status === 200 && String(body) === "new") break;
      assert.ok(!isAtOnce, `${name}: the next request was answered ${status} ${body}`);
      if (status === 200) assert.equal(String(body), "old", name);
      else {
        assert.equal(status, 503, `${name}: ${body}`);
        assert.equal(fields.get("retry-after"), "1");
        assert.match(String(body), /root-moved/);
      }
      assert.ok(performance.now() < patience, `${name}: after ${asked} requests ${status} ${body}\n${told()}`);
      await setTimeout(5);
    }
  }
  t.diagnostic(`all roots were served after ${Math.round(performance.now() - began)} ms`);
  for (const [index, { uploads }] of UPLOADS.entries()) {
    for (;;) {
      const { status, fields, body } = await upload(index);
      if (status === 201) break;
      assert.equal(status, 503, String(body));
      assert.ok(fields.has("retry-after"));
      assert.match(String(body), /upload-unavailable/);
      assert.ok(performance.now() < patience, `${uploads}: ${body}\n${told()}`);
      await setTimeout(5);
    }
    assert.equal(readdirSync(`${top}/${uploads}`).length, 1);
  }
  await until("it is told", () =>
    / generation \d+ serves: .*\/current\/public leads to .*\/releases\/2\/public now/.test(told()),
  );
  assert.doesNotMatch(server.events, /error: |SIGHUP/);
  assert.equal((await server.stop()).status, 0);
});
