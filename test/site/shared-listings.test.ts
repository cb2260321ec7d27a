import assert from "node:assert/strict";
import { mkdirSync, openSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { bytes } from "../../src/base/units.ts";
import { ListingMemory } from "../../src/site/listing-memory.ts";
import { type SharedListing, SharedListings } from "../../src/site/shared-listings.ts";
import type { ListDirectoryInput, ListDirectoryOutput } from "../../src/tasks/list-directory.ts";
import type { TaskOutcome, TaskPool } from "../../src/tasks/task-types.ts";
import { makeTree } from "../support/file-tree.ts";
import { countDescriptors, descriptorsUncounted } from "../support/served-site.ts";

type Outcome = TaskOutcome<ListDirectoryOutput>;

interface Task {
  readonly input: ListDirectoryInput;
  readonly signal: AbortSignal;
  end(outcome: Outcome | Error): Promise<void>;
}

/** A pool whose tasks end when the test says. */
class HeldTasks {
  readonly begun: Task[] = [];
  readonly pool: TaskPool = {
    hasRoom: true,
    reserve: () => undefined,
    noteRefusal: () => undefined,
    run: (_name, input, signal) =>
      new Promise((resolve, reject) => {
        assert.ok(signal !== undefined);
        const end = async (outcome: Outcome | Error): Promise<void> => {
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome as TaskOutcome<never>);
          await turn();
          await turn();
        };
        this.begun.push({ input: input as ListDirectoryInput, signal, end });
      }),
  };
}

const STAYS = new AbortController().signal;

class Fixture {
  readonly tasks = new HeldTasks();
  readonly listings: SharedListings;
  readonly top: string;

  constructor(t: TestContext, memory = 100) {
    this.top = makeTree(t, {});
    mkdirSync(`${this.top}/other`);
    this.listings = new SharedListings(this.tasks.pool, new ListingMemory(bytes(memory)));
  }

  ask(changes: Partial<ListDirectoryInput> = {}, gone = STAYS, folder = this.top): Promise<SharedListing> {
    const descriptor = openSync(folder, "r");
    const input: ListDirectoryInput = {
      directory: absolutePath(`/proc/self/fd/${descriptor}`),
      isRealPath: false,
      root: absolutePath(this.top),
      segments: [],
      query: undefined,
      form: "html",
      dotfiles: false,
      symlinks: "inside",
      types: [],
      ...changes,
    };
    return this.listings.list(descriptor, input, gone);
  }
}

function pageOf(size: number): Outcome {
  const output = { kind: "page", mediaType: "text/html", bytes: new Uint8Array(size), securityPolicy: "" } as const;
  return { kind: "done", output };
}

test("SharedListings: fifty ask together, one task; forty more meanwhile, one more", async (t) => {
  const fixture = new Fixture(t);
  const { begun } = fixture.tasks;
  const first = Array.from({ length: 50 }, () => fixture.ask());
  await turn();
  assert.equal(begun.length, 1);
  const later = Array.from({ length: 40 }, () => fixture.ask());
  await turn();
  assert.equal(begun.length, 1, "what was put into the folder meanwhile may be missing in the first");
  await begun[0]?.end(pageOf(10));
  const pages = await Promise.all(first);
  assert.equal(new Set(pages).size, 1);
  assert.equal(pages[0]?.kind, "page");
  assert.equal(begun.length, 2);
  await begun[1]?.end(pageOf(20));
  assert.equal(new Set(await Promise.all(later)).size, 1);
});

const others: [name: string, changes: Partial<ListDirectoryInput>, isShared: boolean][] = [
  ["another spelling of the same order", { query: "O=A&C=N" }, true],
  ["a query that means nothing", { query: "x=1" }, true],
  ["another order", { query: "C=S" }, false],
  ["another form", { form: "json" }, false],
  ["another path, which the page shows", { segments: ["link"] }, false],
  ["other rules", { dotfiles: true }, false],
];
for (const [name, changes, isShared] of others) {
  test(`SharedListings: ${name} is ${isShared ? "the same" : "another"} index`, async (t) => {
    const fixture = new Fixture(t);
    const { begun } = fixture.tasks;
    const both = [fixture.ask(), fixture.ask(changes)];
    await turn();
    assert.equal(begun.length, isShared ? 1 : 2);
    for (const task of begun) await task.end(pageOf(1));
    assert.deepEqual(new Set((await Promise.all(both)).map(({ kind }) => kind)), new Set(["page"]));
  });
}

test("SharedListings: another folder is another index", async (t) => {
  const fixture = new Fixture(t);
  const both = [fixture.ask(), fixture.ask({}, STAYS, `${fixture.top}/other`)];
  await turn();
  for (const task of fixture.tasks.begun) await task.end({ kind: "busy" });
  assert.equal(fixture.tasks.begun.length, 2);
  await Promise.all(both);
});

test("SharedListings: a task goes on while one of its clients stays, and is cancelled when the last has left", async (t) => {
  const fixture = new Fixture(t);
  const clients = [new AbortController(), new AbortController()];
  const asked = clients.map(({ signal }) => fixture.ask({}, signal));
  await turn();
  const [task] = fixture.tasks.begun;
  clients[0]?.abort();
  assert.deepEqual(await asked[0], { kind: "busy" });
  assert.equal(task?.signal.aborted, false);
  clients[1]?.abort();
  assert.equal(task?.signal.aborted, true);
  await task?.end({ kind: "done", output: { kind: "stopped" } });
  assert.deepEqual(await asked[1], { kind: "busy" });
});

test("SharedListings: who asks after all have left gets an index", async (t) => {
  const fixture = new Fixture(t);
  const client = new AbortController();
  const left = fixture.ask({}, client.signal);
  client.abort();
  const stays = fixture.ask();
  await turn();
  assert.deepEqual(await left, { kind: "busy" });
  const [task, ...others] = fixture.tasks.begun;
  assert.deepEqual([task?.signal.aborted, others.length], [false, 0]);
  await task?.end(pageOf(1));
  assert.equal((await stays).kind, "page");
});

test("SharedListings: a shared page counts once, until its last response has ended", async (t) => {
  const fixture = new Fixture(t, 10);
  const { begun } = fixture.tasks;
  const both = [fixture.ask(), fixture.ask()];
  await turn();
  await begun[0]?.end(pageOf(10));
  const releases = (await Promise.all(both)).map((listing) =>
    listing.kind === "page" ? listing.release : assert.fail(),
  );
  const makeAnother = async (): Promise<string> => {
    const asked = fixture.ask();
    await turn();
    await begun.at(-1)?.end(pageOf(10));
    return (await asked).kind;
  };
  releases[0]?.();
  assert.equal(await makeAnother(), "busy");
  releases[1]?.();
  assert.equal(await makeAnother(), "page");
});

test("SharedListings: no descriptor is left, however it ends", { skip: descriptorsUncounted }, async (t) => {
  const fixture = new Fixture(t);
  const before = countDescriptors();
  const ends = [pageOf(1), { kind: "busy" }, { kind: "cancelled" }, new Error("died")] as const;
  for (const end of ends) {
    const asked = [fixture.ask(), fixture.ask()].map((listing) => listing.catch(() => undefined));
    await turn();
    await fixture.tasks.begun.at(-1)?.end(end);
    await Promise.all(asked);
  }
  const left = fixture.ask({}, AbortSignal.abort());
  const again = fixture.ask({}, AbortSignal.abort());
  await turn();
  await fixture.tasks.begun.at(-1)?.end({ kind: "cancelled" });
  await Promise.all([left, again]);
  assert.equal(countDescriptors(), before);
});
