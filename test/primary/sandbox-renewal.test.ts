import assert from "node:assert/strict";
import { test } from "node:test";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { type Milliseconds, milliseconds } from "../../src/base/units.ts";
import {
  decideRest,
  describeRenewal,
  describeUnreached,
  type RenewalOutcome,
  SandboxRenewal,
} from "../../src/primary/sandbox-renewal.ts";
import type { Place } from "../../src/system/former-places.ts";

const rests: [name: string, took: number, vain: number, want: number][] = [
  ["a fifth of the time at most is spent on renewals", 300, 0, 1200],
  ["but no rest is longer than 10 s", 5000, 0, 10_000],
  ["the first in vain", 2, 1, 1000],
  ["the second", 2, 2, 2000],
  ["the fifth", 2, 5, 16_000],
  ["one after many", 2, 40, 60_000],
];
for (const [name, took, vain, want] of rests) {
  test(`decideRest: ${name}`, () => assert.equal(decideRest(milliseconds(took), vain), want));
}

const root = absolutePath("/srv/app/current/public");
const build = absolutePath("/tmp/site");
const place = (path: string, inode: number): Place => ({ path: absolutePath(path), device: 1, inode });
const before = new Map<typeof root, Place | undefined>([
  [root, place("/srv/app/releases/1/public", 11)],
  [build, place(build, 12)],
]);
const moved = new Map([...before, [root, place("/srv/app/releases/2/public", 21)]]);
const rebuilt = new Map([...before, [build, place(build, 22)]]);

const descriptions: [name: string, now: typeof before, reported: readonly (typeof root)[], want: string][] = [
  ["a link that was turned", moved, [root], "/srv/app/current/public leads to /srv/app/releases/2/public now"],
  ["a folder that was made again", rebuilt, [build], "/tmp/site was replaced"],
  ["a folder that was missing", new Map([[build, place(build, 1)]]), [build], "/tmp/site was replaced"],
  [
    "an upload directory that could not be made",
    new Map([[build, undefined]]),
    [build],
    "/tmp/site is not a directory",
  ],
  ["nothing that the primary sees", before, [root], "/srv/app/current/public is within reach"],
  ["several, of which not all were reported", new Map([...moved, ...rebuilt]), [build], "/tmp/site was replaced"],
  [
    "more than anybody reads",
    before,
    ["/a", "/b", "/c", "/d", "/e"].map(absolutePath),
    "/a is within reach; /b is within reach; /c is within reach; 2 more",
  ],
];
for (const [name, now, reported, want] of descriptions) {
  test(`describeRenewal: ${name}`, () =>
    assert.equal(describeRenewal({ places: before }, { places: now }, new Set(reported)), want));
}

test("describeUnreached: what could not be made, or what the sandbox keeps from every worker", () => {
  const notices = ["uploads of main cannot be stored: /srv/up: permission denied"];
  const reported = new Set([root, build]);
  assert.deepEqual(describeUnreached({ kind: "confined", notices: [] }, reported), []);
  assert.deepEqual(describeUnreached({ kind: "confined", notices }, reported), notices);
  assert.deepEqual(describeUnreached({ kind: "same", notices }, reported), notices);
  assert.deepEqual(describeUnreached({ kind: "missing", notices }, reported), notices);
  assert.deepEqual(describeUnreached({ kind: "missing", notices: [] }, reported), []);
  assert.deepEqual(describeUnreached({ kind: "same", notices: [] }, reported), [
    `the sandbox keeps worker processes from ${root}; ${build}, and would keep new ones from it: ` +
      "let the user who starts the server enter it, or set sandbox = no",
  ]);
});

/** A renewal takes 100 ms; its outcomes in turn are given. */
function setUp(...outcomes: readonly RenewalOutcome[]) {
  const left = [...outcomes];
  const told: string[] = [];
  let now = 0;
  let endWait: () => void = () => undefined;
  const renewal = new SandboxRenewal({
    clock: { monotonic: () => milliseconds(now) },
    renew: async (reported) => {
      told.push([...reported].join(" "));
      now += 100;
      return left.shift() ?? "done";
    },
    wait: (time: Milliseconds, signal) => {
      told.push(`wait ${time}`);
      return new Promise((resolve) => {
        endWait = () => {
          now += time;
          resolve();
        };
        signal.addEventListener("abort", () => resolve());
      });
    },
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const passTime = async (): Promise<void> => {
    endWait();
    await settle();
  };
  return { renewal, told, settle, passTime };
}

test("SandboxRenewal: at once, and the next after a rest, for all that was reported until then", async () => {
  const { renewal, told, settle, passTime } = setUp();
  renewal.report([root]);
  // During the renewal: perhaps it helps there too.
  renewal.report([build]);
  await settle();
  assert.deepEqual(told.splice(0), [root]);
  renewal.report([build]);
  renewal.report([root, build]);
  await settle();
  assert.deepEqual(told.splice(0), ["wait 400"]);
  await passTime();
  assert.deepEqual(told, [`${build} ${root}`]);
});

test("SandboxRenewal: renewals in vain become rarer until one helps", async () => {
  const { renewal, told, settle, passTime } = setUp("useless", "failed", "done", "done");
  for (let round = 0; round < 4; round += 1) {
    renewal.report([root]);
    await settle();
    await passTime();
  }
  assert.deepEqual(told, [root, "wait 1000", root, "wait 2000", root, "wait 400", root]);
});

test("SandboxRenewal: closed, it begins none", async () => {
  const { renewal, told, settle } = setUp();
  renewal.report([root]);
  await settle();
  renewal.report([root]);
  renewal.close();
  await settle();
  renewal.report([root]);
  await settle();
  assert.deepEqual(told, [root, "wait 400"]);
});
