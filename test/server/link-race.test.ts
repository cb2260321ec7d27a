/**
 * Names that lead inside the document root at one moment and to /etc at the next, while clients fetch through them: not one
 * byte and not one name from outside is sent.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { ChildScript } from "../support/child-script.ts";
import type { Errand, Reply } from "../support/errands.ts";
import type { Swap } from "../support/link-swapper.ts";
import { LiveServer } from "../support/live-server.ts";
import { onlyRoot } from "../support/root.ts";
import { rounds, timeFor } from "../support/rounds.ts";
import { until } from "../support/until.ts";
import { type Manner, Visitors } from "../support/visitors.ts";

const FETCHES = rounds(1000, 100_000);

/** Of the same length as what it is mistaken for, and of the same time. */
const FOREIGN = readFileSync("/etc/passwd");
const INSIDE = Buffer.alloc(FOREIGN.length, "inside ");
const LISTED = ["passwd", "second.txt"];
const CHANGED = new Date("2024-05-06T07:08:09Z");

interface Case {
  readonly symlinks: "inside" | "never";
  readonly sandbox: "auto" | "no";
  /** One without /proc, where the kernel cannot be asked what a descriptor leads to. */
  readonly isChroot: boolean;
}

const CASES: readonly Case[] = [
  { symlinks: "inside", sandbox: "auto", isChroot: false },
  { symlinks: "inside", sandbox: "no", isChroot: false },
  { symlinks: "inside", sandbox: "no", isChroot: true },
  { symlinks: "never", sandbox: "auto", isChroot: false },
  { symlinks: "never", sandbox: "no", isChroot: false },
  { symlinks: "never", sandbox: "no", isChroot: true },
];

const MANNERS: readonly Manner[] = Array.from({ length: 8 }, (_, index) => ({ kind: index < 6 ? "keeping" : "fresh" }));

/** @returns what is to change */
function makeDocuments(top: string, { symlinks, isChroot }: Case): readonly Swap[] {
  chmodSync(top, 0o755);
  const [jail, site] = [`${top}/jail`, `${top}/jail/site`];
  const modified = isChroot ? CHANGED : statSync("/etc/passwd").mtime;
  const stand = (path: string, content: Buffer): void => {
    writeFileSync(path, content);
    utimesSync(path, modified, modified);
  };
  for (const folder of [jail, site, `${site}/inside`, `${site}/replaced`, `${site}/read`]) mkdirSync(folder);
  for (const folder of ["inside", "replaced"]) {
    stand(`${site}/${folder}/passwd`, INSIDE);
    writeFileSync(`${site}/${folder}/second.txt`, "second");
  }
  if (isChroot) {
    mkdirSync(`${jail}/etc`);
    stand(`${jail}/etc/passwd`, FOREIGN);
    writeFileSync(`${jail}/etc/shadow`, "secret");
  }
  // A README that is a link is never shown, so this one is a file for half of the time whatever the rule.
  stand(`${site}/read/README.md`, INSIDE);
  const whateverTheRule: readonly Swap[] = [
    { kind: "real or link", name: `${site}/replaced`, target: "/etc" },
    { kind: "real or link", name: `${site}/read/README.md`, target: "/etc/passwd" },
  ];
  if (symlinks === "never") {
    stand(`${site}/file`, INSIDE);
    return [...whateverTheRule, { kind: "real or link", name: `${site}/file`, target: "/etc/passwd" }];
  }
  symlinkSync("inside", `${site}/linked`);
  symlinkSync("inside/passwd", `${site}/file`);
  return [
    ...whateverTheRule,
    { kind: "link", name: `${site}/linked`, targets: ["inside", "/etc"] },
    { kind: "link", name: `${site}/file`, targets: ["inside/passwd", "/etc/passwd"] },
  ];
}

/** What each path was answered with. */
type Tally = Map<string, Map<number, number>>;

function errandsOf(
  tally: Tally,
  onReadme: () => void,
): { readonly cheap: readonly Errand[]; readonly dear: readonly Errand[] } {
  const errand = (requestLine: string, judgeFound: (reply: Reply) => boolean, fields = ""): Errand => ({
    requestLine,
    fields,
    body: undefined,
    judge: (reply) => {
      const { status, body } = reply;
      const counts = tally.get(requestLine) ?? new Map<number, number>();
      tally.set(requestLine, counts.set(status, (counts.get(status) ?? 0) + 1));
      if (status === 200) return judgeFound(reply) ? undefined : `${requestLine} was answered with ${body}`;
      const isRefused = (status === 403 || status === 404) && !body.includes("root:");
      return isRefused ? undefined : `${requestLine} was answered ${status}: ${body}`;
    },
  });
  const isInside = ({ body }: Reply) => body.equals(INSIDE);
  return {
    cheap: [
      errand("GET /linked/passwd HTTP/1.1", isInside),
      errand("GET /file HTTP/1.1", isInside),
      errand("GET /replaced/passwd HTTP/1.1", isInside),
      errand("HEAD /file HTTP/1.1", () => true),
      errand("GET /linked/shadow HTTP/1.1", () => false),
      errand("GET /replaced/shadow HTTP/1.1", () => false),
    ],
    dear: [
      errand("GET /linked/ HTTP/1.1", isListingInside, "Accept: application/json\r\n"),
      errand("GET /replaced/ HTTP/1.1", isListingInside, "Accept: application/json\r\n"),
      // A page, which shows what is in the folder's README.
      errand("GET /read/ HTTP/1.1", ({ body }) => {
        if (body.includes("inside inside")) onReadme();
        return !body.includes("root:");
      }),
    ],
  };
}

/** A trial in which these are not answered both ways has shown nothing. */
const RACED = ["GET /replaced/passwd HTTP/1.1", "GET /file HTTP/1.1"];

function isListingInside({ body }: Reply): boolean {
  const { entries } = JSON.parse(body.toString()) as { readonly entries: readonly { readonly name: string }[] };
  return entries.every(({ name }) => LISTED.includes(name));
}

for (const each of CASES) {
  const { symlinks, sandbox, isChroot } = each;
  const name = `symlinks = ${symlinks}, sandbox = ${sandbox}${isChroot ? ", in a chroot without /proc" : ""}`;
  test(`links that change under ${FETCHES} fetches: nothing from outside is sent: ${name}`, {
    skip: isChroot && onlyRoot,
    ...timeFor(180_000, 400_000),
  }, async (t) => {
    let swaps: readonly Swap[] = [];
    const site = isChroot ? { chroot: "jail", docbase: "/site", user: "daemon" } : { docbase: "jail/site" };
    const server = await LiveServer.start(t, {
      files: {},
      configuration: { ...site, symlinks, sandbox, listing: "yes", upload: "no", queue: "200" },
      prepare: (top) => {
        swaps = makeDocuments(top, each);
      },
    });
    const swapper = new ChildScript("link-swapper", [JSON.stringify(swaps)]);
    t.after(() => swapper.kill());
    assert.equal(await swapper.nextLine(), "swapping");

    const tally: Tally = new Map();
    let readmes = 0;
    const { cheap, dear } = errandsOf(tally, () => {
      readmes += 1;
    });
    const visitors = new Visitors({
      port: server.port,
      manners: MANNERS,
      errand: (visitor, turn) => {
        const choice = (visitor + turn) % 20 === 0 ? dear : cheap;
        return choice[turn % choice.length] as Errand;
      },
    });
    t.after(() => visitors.stop());
    const wasAnswered = (line: string, ...statuses: number[]) =>
      statuses.some((status) => tally.get(line)?.has(status));
    const areBothSeen = () =>
      RACED.every((line) => wasAnswered(line, 200) && wasAnswered(line, 403, 404)) && readmes > 0;
    await until(
      `${FETCHES} answers, and both sides of each change`,
      () => visitors.faults.length > 0 || (visitors.answered >= FETCHES && areBothSeen()),
      { patience: timeFor(170_000, 280_000).timeout },
    );
    await visitors.stop();
    swapper.endInput();
    const swapped = Number(await swapper.nextLine());
    assert.deepEqual(visitors.complaints, []);
    const told = [...tally].map(
      ([line, counts]) => `${line}: ${[...counts].map((pair) => pair.join(" × ")).join(", ")}`,
    );
    t.diagnostic(`${visitors.answered} answers, ${swapped} changes there and back; ${told.join("; ")}`);
    assert.equal((await server.stop()).status, 0);
  });
}
