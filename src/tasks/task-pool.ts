/**
 * The task pool: piscina's threads behind our own queue. Piscina never gets more tasks than it has threads, so this
 * file alone decides which tasks are accepted, their order, and which are cancelled. Piscina starts threads on demand
 * and ends idle ones. A thread that dies fails only its own task.
 */
import { Piscina } from "piscina";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { hasRoom, mayReserve, OverloadReport, type PoolEvents, type PoolState } from "./overload.ts";
import type { Reservation, TaskName, TaskOutcome, TaskPool, TaskTypes } from "./task-types.ts";

export interface ThreadPoolOptions {
  readonly threads: number;
  /** Most tasks that wait for a thread. */
  readonly queue: number;
  /** Absolute path of a compiled file whose export `run` does one `TaskRequest`. */
  readonly filename: string;
  readonly events: PoolEvents;
  /** How long an idle thread stays. */
  readonly idleTime?: Milliseconds;
  readonly maxHeapMebibytes?: number;
  /**
   * All threads exist from `startAll` on and stay: for a process that will lose access to its own program files.
   * `onLost` is called when one of them has died.
   */
  readonly keepAll?: { readonly onLost: () => void };
}

export type TaskRequest =
  /** `stop`: one number, other than 0 when no client wants the task's output any more. */
  | {
      [N in TaskName]: { readonly name: N; readonly input: TaskTypes[N]["input"]; readonly stop?: Int32Array };
    }[TaskName]
  /** Loads the code of all tasks. */
  | { readonly name: "load-all"; readonly input: undefined };

/** How waiting ends: a thread is free, the pool closes, or the client has disconnected. */
type Admission = "run" | "busy" | "cancelled";

const IDLE_TIME = milliseconds(10_000);
/** An index of 100,000 entries takes less than 96. A thread that needs more is ended, and its task fails. */
const MAX_HEAP_MEBIBYTES = 512;
const MAX_YOUNG_MEBIBYTES = 16;

export class ThreadPool implements TaskPool {
  readonly #maxThreads: number;
  readonly #queue: number;
  readonly #piscina: Piscina<{ name: TaskRequest["name"]; input: unknown; stop?: Int32Array }, unknown>;
  readonly #events: PoolEvents;
  readonly #overload: OverloadReport;
  /** In order of arrival. */
  readonly #waiting = new Set<(admission: Admission) => void>();
  #active = 0;
  #reserved = 0;
  #closed: Promise<void> | undefined;
  #onLastDone: () => void = () => undefined;

  constructor(options: ThreadPoolOptions) {
    this.#maxThreads = options.threads;
    this.#queue = options.queue;
    this.#events = options.events;
    this.#overload = new OverloadReport(options.events);
    this.#piscina = new Piscina({
      filename: options.filename,
      name: "run",
      minThreads: options.keepAll === undefined ? 0 : options.threads,
      maxThreads: options.threads,
      idleTimeout: options.idleTime ?? IDLE_TIME,
      maxQueue: Number.POSITIVE_INFINITY,
      // Otherwise a thread without a task sleeps completely, with everything its last task did not wait for.
      atomics: "disabled",
      recordTiming: false,
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMebibytes ?? MAX_HEAP_MEBIBYTES,
        maxYoungGenerationSizeMb: MAX_YOUNG_MEBIBYTES,
      },
    });
    this.#piscina.on("error", (fault: unknown) => this.#events.error("a task thread has failed", fault));
    this.#piscina.on("workerDestroy", () => {
      queueMicrotask(() => this.#cancelWithoutThreads());
      if (this.#closed === undefined) options.keepAll?.onLost();
    });
  }

  /** Resolves when every thread has loaded all it will ever need; only with `keepAll`. @throws what a thread throws */
  async startAll(): Promise<void> {
    // A thread has one task at a time, so this many at once reach every thread.
    const all = Array.from({ length: this.#maxThreads }, () =>
      this.#piscina.run({ name: "load-all", input: undefined }),
    );
    await Promise.all(all);
  }

  get hasRoom(): boolean {
    return this.#closed === undefined && hasRoom(this.state);
  }

  get state(): PoolState {
    return {
      threads: this.#maxThreads,
      active: this.#active,
      queue: this.#queue,
      waiting: this.#waiting.size,
      reserved: this.#reserved,
    };
  }

  /** Busy or idle. */
  get threadCount(): number {
    return this.#piscina.threads.length;
  }

  async run<N extends TaskName>(
    name: N,
    input: TaskTypes[N]["input"],
    signal?: AbortSignal,
  ): Promise<TaskOutcome<TaskTypes[N]["output"]>> {
    if (signal?.aborted) return { kind: "cancelled" };
    if (!this.hasRoom) {
      this.noteRefusal();
      return { kind: "busy" };
    }
    const admission = this.#active < this.#maxThreads ? this.#takeThread() : await this.#wait(name, signal);
    if (admission !== "run") return { kind: admission };
    const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const askToStop = (): void => void Atomics.store(stop, 0, 1);
    signal?.addEventListener("abort", askToStop);
    try {
      const output = await this.#piscina.run(signal === undefined ? { name, input } : { name, input, stop });
      return { kind: "done", output: output as TaskTypes[N]["output"] };
    } catch (cause) {
      throw new Error(`the task ${name} has failed`, { cause });
    } finally {
      signal?.removeEventListener("abort", askToStop);
      this.#passThreadOn();
    }
  }

  reserve(): Reservation | undefined {
    if (this.#closed !== undefined || !mayReserve(this.state)) return undefined;
    let isHeld = true;
    this.#reserved += 1;
    return {
      release: () => {
        if (isHeld) this.#reserved -= 1;
        isHeld = false;
      },
    };
  }

  noteRefusal(): void {
    if (this.#closed === undefined) this.#overload.refused(this.state);
  }

  /** Accepts no more tasks, rejects waiting ones as busy, and resolves when the last is done and no thread is left. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    for (const proceed of this.#waiting) proceed("busy");
    if (this.#active > 0) {
      await new Promise<void>((resolve) => {
        this.#onLastDone = resolve;
      });
    }
    await this.#piscina.destroy();
  }

  #takeThread(): Admission {
    this.#active += 1;
    return "run";
  }

  #wait(name: TaskName, signal: AbortSignal | undefined): Promise<Admission> {
    return new Promise((resolve) => {
      const cancel = (): void => proceed("cancelled");
      const proceed = (admission: Admission): void => {
        this.#waiting.delete(proceed);
        signal?.removeEventListener("abort", cancel);
        const why = admission === "run" ? "" : `, ${admission}`;
        this.#events.debug(`task dequeued: ${name}${why} (${this.#waiting.size} waiting)`);
        resolve(admission);
      };
      this.#waiting.add(proceed);
      signal?.addEventListener("abort", cancel);
      this.#events.debug(`task queued: ${name} (${this.#waiting.size} waiting)`);
      this.#overload.changed(this.state);
    });
  }

  /** Gives the thread directly to the next waiting task, so that no other can get it first. */
  #passThreadOn(): void {
    const [next] = this.#waiting;
    if (next !== undefined) next("run");
    else this.#active -= 1;
    this.#overload.changed(this.state);
    if (this.#active === 0) this.#onLastDone();
  }

  /** When threads die before they are ready, piscina keeps their tasks and starts no others. */
  #cancelWithoutThreads(): void {
    const { threads, queueSize } = this.#piscina;
    if (threads.length === 0 && queueSize > 0) void this.#piscina.destroy();
  }
}
