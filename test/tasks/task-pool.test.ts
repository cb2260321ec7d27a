// Not in --quick: starts and kills many threads.

import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { absolutePath } from "../../src/base/absolute-path.ts";
import { milliseconds } from "../../src/base/units.ts";
import type { ListDirectoryInput } from "../../src/tasks/list-directory.ts";
import { ThreadPool, type ThreadPoolOptions } from "../../src/tasks/task-pool.ts";
import type { TaskOutcome } from "../../src/tasks/task-types.ts";
import { makeTree } from "../support/file-tree.ts";
import { MemoryEvents } from "../support/memory-events.ts";
import type { TestTask } from "../support/thread-tasks.ts";

const TEST_TASKS = fileURLToPath(new URL("../support/thread-tasks.js", import.meta.url));
const THREAD_MAIN = fileURLToPath(new URL("../../src/thread-main.js", import.meta.url));
const BOUNDED = { timeout: 180_000 };

class Fixture {
  readonly events = new MemoryEvents();
  readonly pool: ThreadPool;
  readonly #gate = new Int32Array(new SharedArrayBuffer(8));
  #places = 0;

  constructor(t: TestContext, options: Partial<ThreadPoolOptions> = {}) {
    this.pool = new ThreadPool({ threads: 1, queue: 2, filename: TEST_TASKS, events: this.events, ...options });
    t.after(async () => {
      this.open(1000);
      await this.pool.close();
    });
  }

  run(task: TestTask, signal?: AbortSignal): Promise<TaskOutcome<unknown>> {
    return this.pool.run("list-directory", task as unknown as ListDirectoryInput, signal);
  }

  /** A task that runs until its place is opened; places are counted from one in the order of these calls. */
  hold(signal?: AbortSignal): Promise<TaskOutcome<unknown>> {
    this.#places += 1;
    return this.run({ do: "wait", gate: this.#gate, place: this.#places }, signal);
  }

  open(places: number): void {
    Atomics.store(this.#gate, 1, places);
    Atomics.notify(this.#gate, 1);
  }

  async begun(count: number): Promise<void> {
    await until(() => Atomics.load(this.#gate, 0) === count);
  }

  counts(): string {
    const { active, waiting } = this.pool.state;
    return `${active}+${waiting}`;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

function done(output: unknown) {
  return { kind: "done", output };
}

const BUSY = { kind: "busy" };
const CANCELLED = { kind: "cancelled" };

// ---- admission and order

test("a task is done in a thread that is started for it", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  assert.equal(fixture.pool.threadCount, 0);
  assert.deepEqual(
    await fixture.run({ do: "answer", value: { text: "ü", number: 1 } }),
    done({ text: "ü", number: 1 }),
  );
  assert.equal(fixture.pool.threadCount, 1);
  assert.equal(fixture.counts(), "0+0");
});

test("exactly as many tasks as there are threads and places are taken", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 2, queue: 3 });
  const held: Promise<unknown>[] = [];
  for (const want of ["1+0", "2+0", "2+1", "2+2", "2+3"]) {
    assert.equal(fixture.pool.hasRoom, true, want);
    held.push(fixture.hold());
    assert.equal(fixture.counts(), want);
  }
  assert.equal(fixture.pool.hasRoom, false);
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), BUSY);
  fixture.open(5);
  assert.deepEqual(await Promise.all(held), [1, 2, 3, 4, 5].map(done));
  assert.equal(fixture.counts(), "0+0");
  assert.equal(fixture.pool.threadCount, 2);
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), done(1));
});

test("a kept place is for the task it was kept for, and free again when given up", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 1, queue: 1 });
  const place = fixture.pool.reserve();
  assert.notEqual(place, undefined);
  assert.equal(fixture.pool.reserve(), undefined, "half of two places are kept");
  const first = fixture.hold();
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), BUSY);
  place?.release();
  place?.release();
  const second = fixture.hold();
  assert.equal(fixture.counts(), "1+1");
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), BUSY, "given up twice, it is one place all the same");
  fixture.open(2);
  assert.deepEqual(await Promise.all([first, second]), [1, 2].map(done));
});

test("without a queue a task is refused when all threads are busy", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { queue: 0 });
  const held = fixture.hold();
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), BUSY);
  fixture.open(1);
  await held;
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), done(1));
});

test("who came first is first", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { queue: 20 });
  const order: number[] = [];
  const ends = Array.from({ length: 20 }, (_, index) => fixture.hold().then(() => void order.push(index)));
  for (let count = 1; count <= 20; count += 1) {
    await fixture.begun(count);
    assert.equal(fixture.counts(), `1+${20 - count}`);
    fixture.open(count);
  }
  await Promise.all(ends);
  assert.deepEqual(order, [...Array(20).keys()]);
});

test("a thousand tasks on three threads: all are done, none twice", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 3, queue: 997 });
  const numbers = [...Array(1000).keys()];
  const outcomes = await Promise.all(numbers.map((value) => fixture.run({ do: "answer", value })));
  assert.deepEqual(outcomes, numbers.map(done));
  assert.equal(fixture.counts(), "0+0");
  assert.equal(fixture.pool.threadCount, 3);
});

// ---- cancelling

test("a signal takes a task out of the queue, and others move up", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  const client = new AbortController();
  const first = fixture.hold();
  const second = fixture.run({ do: "throw", message: "it was begun" }, client.signal);
  const third = fixture.run({ do: "answer", value: 3 });
  assert.deepEqual(await fixture.run({ do: "answer", value: 4 }), BUSY);
  client.abort();
  assert.equal(fixture.counts(), "1+1");
  assert.deepEqual(await second, CANCELLED);
  const fourth = fixture.run({ do: "answer", value: 4 });
  fixture.open(1);
  assert.deepEqual(await Promise.all([first, third, fourth]), [done(1), done(3), done(4)]);
});

test("a signal that came before takes no place", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }, AbortSignal.abort()), CANCELLED);
  assert.equal(fixture.pool.threadCount, 0);
});

test("a signal does not disturb a task that runs, nor its thread", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  const clients = [new AbortController(), new AbortController()];
  const first = fixture.hold(clients[0]?.signal);
  const second = fixture.hold(clients[1]?.signal);
  await fixture.begun(1);
  clients[0]?.abort();
  fixture.open(1);
  assert.deepEqual(await first, done(1));
  await fixture.begun(2);
  clients[1]?.abort();
  fixture.open(2);
  assert.deepEqual(await second, done(2));
  assert.equal(fixture.counts(), "0+0");
});

test("a signal asks a task that runs to stop, and no other", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 2 });
  const client = new AbortController();
  const endless = fixture.run({ do: "run until stopped" }, client.signal);
  const other = fixture.hold(new AbortController().signal);
  client.abort();
  assert.deepEqual(await endless, done("stopped"));
  fixture.open(1);
  assert.deepEqual(await other, done(1));
});

// ---- tasks that fail

const crashes: [name: string, task: TestTask, want: RegExp][] = [
  ["throws", { do: "throw", message: "an odd number" }, /^RangeError: an odd number$/],
  ["throws when nobody waits for it", { do: "throw later" }, /nobody expected this/],
  ["exits", { do: "exit" }, /exited with code: 7/],
  ["uses up its memory", { do: "use up the memory" }, /memory limit/],
];
for (const [name, task, want] of crashes) {
  test(`a task that ${name} fails, and no other`, BOUNDED, async (t) => {
    const fixture = new Fixture(t, { threads: 2, queue: 5, maxHeapMebibytes: 32 });
    const beside = fixture.hold();
    await fixture.begun(1);
    const crashed = assert.rejects(fixture.run(task), ({ message, cause }: Error) => {
      assert.equal(message, "the task list-directory has failed");
      assert.match(String(cause), want);
      return true;
    });
    const behind = [1, 2, 3].map((value) => fixture.run({ do: "answer", value }));
    await crashed;
    assert.deepEqual(await Promise.all(behind), [1, 2, 3].map(done));
    assert.equal(fixture.counts(), "1+0");
    fixture.open(1);
    assert.deepEqual(await beside, done(1));
    assert.equal(fixture.counts(), "0+0");
  });
}

test("twenty threads die one after the other, and the next task is done", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 2, queue: 40 });
  const crashes = Array.from({ length: 20 }, () => assert.rejects(fixture.run({ do: "exit" })));
  const last = fixture.run({ do: "answer", value: "well" });
  await Promise.all(crashes);
  assert.deepEqual(await last, done("well"));
});

test("when no thread can start, every task fails and none is forgotten", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 2, queue: 5, filename: "/nothing/here.js" });
  const tasks = Array.from({ length: 6 }, () => assert.rejects(fixture.run({ do: "answer", value: 1 })));
  await Promise.all(tasks);
  assert.equal(fixture.counts(), "0+0");
  assert.match(fixture.events.take().join("\n"), /^error: a task thread has failed$/m);
});

test("an input that cannot be sent to a thread fails, and no other", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  const odd = { do: "answer", value: () => undefined } as const;
  await assert.rejects(fixture.run(odd));
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), done(1));
});

// ---- results

test("large results are moved, not copied", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  const outcome = await fixture.run({ do: "move" });
  assert.ok(outcome.kind === "done");
  assert.deepEqual(outcome.output, { bytes: new Uint8Array(2 ** 20) });
  assert.deepEqual(await fixture.run({ do: "ask what is left" }), done(0));
});

test("the tasks there are: a listing by way of a descriptor of this process", BOUNDED, async (t) => {
  const top = makeTree(t, { "a.txt": "a", "b/c.txt": "c" });
  const fixture = new Fixture(t, { filename: THREAD_MAIN });
  const input: ListDirectoryInput = {
    directory: top,
    root: top,
    isRealPath: false,
    segments: [],
    query: undefined,
    form: "json",
    dotfiles: false,
    symlinks: "inside",
    types: [],
  };
  const descriptor = openSync(top, "r");
  try {
    const directory = absolutePath(`/proc/self/fd/${descriptor}`);
    const outcome = await fixture.pool.run("list-directory", { ...input, directory });
    assert.ok(outcome.kind === "done" && outcome.output.kind === "page");
    const page = JSON.parse(Buffer.from(outcome.output.bytes).toString());
    assert.deepEqual(
      page.entries.map(({ name }: { name: string }) => name),
      ["b", "a.txt"],
    );
  } finally {
    closeSync(descriptor);
  }
  const missing = { ...input, directory: absolutePath(`${top}/missing`) };
  const outcome = await fixture.pool.run("list-directory", missing);
  assert.deepEqual(outcome, done({ kind: "failed", reason: "not-found" }));
});

// ---- idling and closing

test("threads without work end, and come back", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { threads: 3, queue: 0, idleTime: milliseconds(1) });
  for (let round = 0; round < 3; round += 1) {
    const outcomes = await Promise.all([1, 2, 3].map((value) => fixture.run({ do: "answer", value })));
    assert.deepEqual(outcomes, [1, 2, 3].map(done));
    await until(() => fixture.pool.threadCount === 0);
  }
});

test("close: what runs is finished, what waits and what comes is turned away", BOUNDED, async (t) => {
  const fixture = new Fixture(t);
  const running = fixture.hold();
  const waiting = fixture.run({ do: "throw", message: "it was begun" });
  await fixture.begun(1);
  let isClosed = false;
  const closing = fixture.pool.close().then(() => {
    isClosed = true;
  });
  assert.equal(fixture.pool.hasRoom, false);
  assert.deepEqual(await waiting, BUSY);
  assert.deepEqual(await fixture.run({ do: "answer", value: 1 }), BUSY);
  assert.equal(isClosed, false);
  fixture.open(1);
  assert.deepEqual(await running, done(1));
  await closing;
  assert.equal(fixture.pool.threadCount, 0);
  await fixture.pool.close();
});

test("close: a pool that never ran", BOUNDED, async (t) => {
  await new Fixture(t).pool.close();
});

// ---- events

test("overload and a full queue are told, and what a refused task was for is not", BOUNDED, async (t) => {
  const fixture = new Fixture(t, { queue: 1 });
  const held = [fixture.hold(), fixture.hold()];
  for (let refused = 0; refused < 5; refused += 1) assert.deepEqual(await fixture.hold(), BUSY);
  assert.deepEqual(fixture.events.take(), [
    "warn: all 1 workers are busy: tasks wait in the queue",
    "warn: queue is full (1 waiting): answering 503",
  ]);
  fixture.open(10);
  await Promise.all(held);
});
