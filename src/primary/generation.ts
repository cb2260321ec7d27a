/** The worker processes of one configuration: started, kept at full number and drained together. A reload adds one. */
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
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
  /** A worker process has started or ended. */
  readonly onChange: () => void;
  /** The sandbox of a worker process of the generation does not reach these docbases and upload directories. */
  readonly onOutOfReach: (generation: number, places: readonly AbsolutePath[]) => void;
}

/** A worker's start only looks at some folders; one that takes longer waits for a file system. */
const START_TIMEOUT_MS = 60_000;
/** Added to the grace before a worker is killed. */
const KILL_DELAY_MS = 5000;

/** The place of one of the generation's processes. */
interface Slot {
  readonly index: number;
  shortLives: number;
  /** It serves or starts. */
  worker: WorkerChild | undefined;
}

export class Generation {
  readonly number: number;
  readonly logs: LogBook;
  readonly #options: GenerationOptions;
  readonly #events: Events;
  readonly #slots: readonly Slot[];
  /** All living ones, also those that drain while their successors serve. */
  readonly #workers = new Set<WorkerChild>();
  /** Aborted by the first drain: no worker is replaced after it. */
  readonly #staffing = new AbortController();
  readonly #started = new AbortController();
  #leave: { readonly mode: DrainMode; readonly grace: Milliseconds | undefined } | undefined;
  #cut = 0;
  /** The last message of each kind that every process must have. */
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

  get workers(): readonly WorkerState[] {
    return [...this.#workers].flatMap(({ pid, startedAt }) =>
      pid === undefined ? [] : [{ pid, startedAt, generation: this.number }],
    );
  }

  /** The same with another sandbox, not started yet. */
  successor(number: number, confinement: Confinement | undefined): Generation {
    return new Generation({ ...this.#options, number, confinement });
  }

  /**
   * Starts every process and waits until all accept connections.
   *
   * @returns what they listen on
   * @throws StartupError of the first that fails; all processes have ended then
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

  /** Without workers that do not answer in time. */
  async reports(): Promise<readonly WorkerReport[]> {
    const reports = await Promise.all([...this.#workers].map((worker) => worker.report()));
    return reports.filter((report) => report !== undefined);
  }

  /**
   * Stops accepting and drains, for at most `grace`. May be called again with a shorter grace.
   *
   * @returns how many connections were cut, when the last process has ended
   */
  async drain(mode: DrainMode, grace: Milliseconds | undefined): Promise<number> {
    this.#staffing.abort();
    this.#leave = { mode, grace };
    for (const worker of this.#workers) this.#dismiss(worker);
    if (grace !== undefined) this.#killAfter(grace + KILL_DELAY_MS);
    while (this.#workers.size > 0) await Promise.all([...this.#workers].map(({ ended }) => ended));
    return this.#cut;
  }

  /** Sends the message to every living process. */
  broadcast(message: PrimaryMessage, except?: WorkerChild): void {
    for (const worker of this.#workers) if (worker !== except) worker.send(message);
  }

  /** Like `broadcast`; processes that start later get it too, until a newer message of its kind replaces it. */
  publish(message: RoleMessage): void {
    this.#published.set(message.kind, message);
    this.broadcast(message);
  }

  /** Publishes what `other` has published so far. */
  publishAllOf(other: Generation): void {
    for (const message of other.#published.values()) this.publish(message);
  }

  async #tooLate(): Promise<never> {
    await setTimeout(START_TIMEOUT_MS, undefined, { signal: this.#started.signal });
    throw new StartupError(`a worker process did not become ready within ${START_TIMEOUT_MS / 1000} s`);
  }

  /** For a failed start. Some of them may have accepted connections already, and finish those. */
  async #removeAll(): Promise<void> {
    const { grace } = this.#options.settings.server;
    const ends = [...this.#workers].map((worker) => worker.ended);
    for (const worker of this.#workers) worker.drain("handing-over", grace);
    this.#killAfter(grace + KILL_DELAY_MS);
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
      case "out-of-reach":
        this.#options.onOutOfReach(this.number, message.places);
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

  /** Replaces the slot's worker whenever it ends, until the generation drains. */
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

  /** Starts the successor first, so that no client waits. */
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
    // The generation may have begun to drain while this worker started.
    if (this.#leave !== undefined) this.#dismiss(worker);
  }

  #dismiss(worker: WorkerChild): void {
    if (this.#leave !== undefined) worker.drain(this.#leave.mode, this.#leave.grace);
  }
}
