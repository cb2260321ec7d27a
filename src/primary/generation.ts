/**
 * The worker processes that serve with one and the same configuration: started together, kept at full strength, drained
 * together. A reload makes a new generation beside the old one.
 */
import { setTimeout } from "node:timers/promises";
import { StartupError } from "../base/errors.ts";
import type { Milliseconds } from "../base/units.ts";
import { settingsForWorker } from "../config/limits-per-worker.ts";
import type { Settings } from "../config/settings.ts";
import type { WorkerState } from "../control/state-file.ts";
import type { Events } from "../observe/log.ts";
import type { Native } from "../system/native.ts";
import type { PrivilegePlan } from "../system/privilege-plan.ts";
import type { Confinement } from "../system/sandbox-plan.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import type { ListenSocket, ServedEndpoint } from "../transport/endpoint.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import type { DrainMode, PrimaryMessage, RoleMessage, ServerMessage, WorkerReport } from "../worker/messages.ts";
import type { LogBook } from "./log-book.ts";
import { countShortLives, decideRespawnDelay } from "./respawn-delay.ts";
import { WorkerChild, type WorkerEnd } from "./worker-child.ts";

export interface GenerationOptions {
  /** Counts from 1. */
  readonly number: number;
  readonly settings: Settings;
  readonly processes: number;
  readonly sockets: readonly ListenSocket[];
  readonly tls: TlsMaterials;
  readonly backends: BackendEndpoints;
  readonly privileges: PrivilegePlan;
  readonly confinement: Confinement | undefined;
  readonly logs: LogBook;
  /** Undefined without koffi. */
  readonly native: Native | undefined;
  /** Worker processes have come or gone. */
  readonly onChange: () => void;
}

/** A worker makes no more of its start than to look at some folders; one that waits longer waits for a file system. */
const START_TIMEOUT_MS = 60_000;
/** How much longer than its grace a worker may take to end. */
const KILL_DELAY_MS = 5000;

/** One of the processes that a generation is to have. */
interface Slot {
  readonly index: number;
  shortLives: number;
  /** The one that serves, or that is being started to. */
  worker: WorkerChild | undefined;
}

export class Generation {
  readonly number: number;
  readonly logs: LogBook;
  readonly #options: GenerationOptions;
  readonly #events: Events;
  readonly #slots: readonly Slot[];
  /** All that live, also those that leave while their successors serve. */
  readonly #workers = new Set<WorkerChild>();
  /** Ended by the first drain: from then on nobody is replaced. */
  readonly #staffing = new AbortController();
  readonly #started = new AbortController();
  #leave: { readonly mode: DrainMode; readonly grace: Milliseconds | undefined } | undefined;
  #cut = 0;
  /** By kind, the last of those that every process must know. */
  readonly #published = new Map<RoleMessage["kind"], RoleMessage>();

  constructor(options: GenerationOptions) {
    this.number = options.number;
    this.logs = options.logs;
    this.#options = options;
    this.#events = options.logs.events;
    this.#slots = Array.from({ length: options.processes }, (_, index) => ({
      index,
      shortLives: 0,
      worker: undefined,
    }));
  }

  /** Those that live now. */
  get workers(): readonly WorkerState[] {
    return [...this.#workers].flatMap(({ pid, startedAt }) =>
      pid === undefined ? [] : [{ pid, startedAt, generation: this.number }],
    );
  }

  /**
   * Starts every process and waits until all accept connections.
   *
   * @returns what they listen on
   * @throws StartupError of the first that cannot; none is left then
   */
  async start(): Promise<readonly ServedEndpoint[]> {
    const starting = this.#slots.map((slot) => this.#startWorker(slot));
    try {
      const [served = []] = await Promise.race([Promise.all(starting.map(({ ready }) => ready)), this.#tooLate()]);
      for (const [index, slot] of this.#slots.entries()) void this.#keepStaffed(slot, starting[index]);
      return served;
    } catch (error) {
      this.#staffing.abort();
      await this.#removeAll();
      throw error;
    } finally {
      this.#started.abort();
    }
  }

  /** Without those that do not answer in time. */
  async reports(): Promise<readonly WorkerReport[]> {
    const reports = await Promise.all([...this.#workers].map((worker) => worker.report()));
    return reports.filter((report) => report !== undefined);
  }

  /**
   * Stops accepting and lets what is under way end, at most for `grace`. May be called again with a shorter grace.
   *
   * @returns how many connections had to be cut, when the last process is gone
   */
  async drain(mode: DrainMode, grace: Milliseconds | undefined): Promise<number> {
    this.#staffing.abort();
    this.#leave = { mode, grace };
    for (const worker of this.#workers) this.#dismiss(worker);
    if (grace !== undefined) this.#killAfter(grace + KILL_DELAY_MS);
    while (this.#workers.size > 0) await Promise.all([...this.#workers].map(({ ended }) => ended));
    return this.#cut;
  }

  /** Sends the message to every process there is. */
  broadcast(message: PrimaryMessage, except?: WorkerChild): void {
    for (const worker of this.#workers) if (worker !== except) worker.send(message);
  }

  /** As `broadcast`, and processes that start later get it too, until another of its kind takes its place. */
  publish(message: RoleMessage): void {
    this.#published.set(message.kind, message);
    this.broadcast(message);
  }

  async #tooLate(): Promise<never> {
    await setTimeout(START_TIMEOUT_MS, undefined, { signal: this.#started.signal });
    throw new StartupError(`a worker process did not become ready within ${START_TIMEOUT_MS / 1000} s`);
  }

  /** For a start that has failed: nobody has been served yet that would mind. */
  async #removeAll(): Promise<void> {
    const ends = [...this.#workers].map((worker) => worker.ended);
    for (const worker of this.#workers) worker.kill();
    await Promise.all(ends);
  }

  /** A process that does not even cut its connections hangs. */
  #killAfter(time: number): void {
    void setTimeout(time, undefined, { ref: false }).then(() => {
      for (const worker of this.#workers) {
        this.#events.error(`worker process ${worker.pid} does not exit: killing it`);
        worker.kill();
      }
    });
  }

  #startWorker(slot: Slot): WorkerChild {
    const { settings, processes, sockets, tls, backends, privileges, confinement, native } = this.#options;
    const worker: WorkerChild = new WorkerChild({
      order: {
        settings: settingsForWorker(settings, slot.index, processes),
        sockets,
        tls,
        backends,
        privileges,
        title: `comanche: worker ${slot.index + 1}`,
      },
      accessLog: this.logs.handedAccess,
      confinement,
      native,
      onMessage: (message) => this.#receive(message, worker, slot),
    });
    this.logs.attach(worker);
    for (const message of this.#published.values()) worker.send(message);
    slot.worker = worker;
    this.#workers.add(worker);
    void worker.ended.then((end) => this.#forget(worker, end));
    this.#options.onChange();
    return worker;
  }

  #receive(message: ServerMessage, from: WorkerChild, slot: Slot): void {
    switch (message.kind) {
      case "event":
        this.logs.events.record(message.level, message.text);
        return;
      case "log":
        this.logs.append(message.lines, message.refusal);
        return;
      case "stored":
        this.broadcast(message, from);
        return;
      case "retire":
        void this.#replace(slot, from, message.why);
    }
  }

  #forget(worker: WorkerChild, { cut }: WorkerEnd): void {
    this.#workers.delete(worker);
    this.logs.detach(worker);
    this.#cut += cut ?? 0;
    this.#options.onChange();
  }

  /** Starts another worker whenever the one in this slot has ended, until the generation leaves. */
  async #keepStaffed(slot: Slot, first: WorkerChild | undefined): Promise<void> {
    for (let worker = first; worker !== undefined; ) {
      const end = await worker.ended;
      // Another worker has the slot already.
      if (slot.worker !== worker) return;
      if (this.#staffing.signal.aborted) return;
      slot.shortLives = countShortLives(slot.shortLives, end.life);
      const delay = decideRespawnDelay(slot.shortLives);
      const then = delay === 0 ? "" : ` in ${delay / 1000} s`;
      this.#events.warn(`worker process ${worker.pid} ${end.how}: starting another${then}`);
      if (delay > 0) await setTimeout(delay, undefined, { signal: this.#staffing.signal }).catch(() => undefined);
      if (this.#staffing.signal.aborted) return;
      worker = this.#startWorker(slot);
      this.#reportStart(worker);
    }
  }

  /** A successor first, so that nobody waits. */
  async #replace(slot: Slot, old: WorkerChild, why: string): Promise<void> {
    if (this.#staffing.signal.aborted || slot.worker !== old) return;
    this.#events.warn(`worker process ${old.pid} is replaced because ${why}: starting another`);
    const successor = this.#startWorker(slot);
    void this.#keepStaffed(slot, successor);
    this.#reportStart(successor);
    await successor.ready.catch(() => undefined);
    old.drain("handing-over", this.#options.settings.server.grace);
  }

  #reportStart(worker: WorkerChild): void {
    worker.ready.then(
      () => this.#events.info(`worker process ${worker.pid} serves`),
      (error: unknown) => {
        const why = error instanceof StartupError ? error.message : String(error);
        if (!this.#staffing.signal.aborted) this.#events.error(`worker process ${worker.pid} cannot serve: ${why}`);
      },
    );
    // The generation may have been told to leave while it was being started.
    if (this.#leave !== undefined) this.#dismiss(worker);
  }

  #dismiss(worker: WorkerChild): void {
    if (this.#leave !== undefined) worker.drain(this.#leave.mode, this.#leave.grace);
  }
}
