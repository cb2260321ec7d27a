/**
 * The life of a worker process, from its start order to its end.
 *
 *     start             threads if it will be enclosed, identity, roles, sockets   -> ready, or failed
 *     drain             accept no more, drain connections, write the log           -> drained
 *     primary has gone  as `drain`, without a report
 *
 * Signals that a terminal sends to the process group are ignored: the primary handles them. TERM alone, sent to this
 * very process, asks the primary for a successor.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { StartupError } from "../base/errors.ts";
import type { Milliseconds } from "../base/units.ts";
import { servesSites } from "../config/settings.ts";
import { AccessLog, type Refusal } from "../observe/access-log.ts";
import { type EventLevel, EventLog, type EventSink } from "../observe/log.ts";
import { describeThrown } from "../observe/thrown.ts";
import { withinDescriptors } from "../system/descriptor-limit.ts";
import { openExactPath } from "../system/exact-directory.ts";
import type { AllowedPlace } from "../system/landlock.ts";
import { loadNative } from "../system/native.ts";
import { dropPrivileges } from "../system/privileges.ts";
import { SandboxReach, takeOver } from "../system/sandbox-reach.ts";
import { HandedLog } from "./handed-log.ts";
import type { DrainMode, LogMessage, PrimaryMessage, RoleMessage, StartOrder, WorkerMessage } from "./messages.ts";
import { openTaskThreads, startWorker, type Worker } from "./serve.ts";

/** Returns at once; the process exits by itself. */
export function runWorker(): void {
  const controller = new WorkerController(takeOver(process.env));
  process.on("message", (message: PrimaryMessage) => controller.receive(message));
  process.once("disconnect", () => controller.orphaned());
  for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, ignore);
  process.on("SIGTERM", () => send({ kind: "retire", why: "it got SIGTERM" }));
  send({ kind: "loaded" });
}

/** Between two reports that something is out of reach. */
const REPORT_INTERVAL_MS = 100;

const ignore = (): void => undefined;

interface DrainRequest {
  readonly mode: DrainMode;
  readonly grace: Milliseconds | undefined;
}

interface Serving {
  readonly worker: Worker;
  readonly access: AccessLog;
  readonly log: HandedLog;
}

class WorkerController {
  #order: StartOrder | undefined;
  #serving: Serving | undefined;
  /** Messages that arrive before it serves. */
  readonly #early: (LogMessage | RoleMessage)[] = [];
  readonly #reach: SandboxReach | undefined;
  #isLeaving = false;
  /** The last drain request, perhaps before it serves. */
  #farewell: DrainRequest | undefined;

  /** @param allowed  undefined where no sandbox limits the process */
  constructor(allowed: readonly AllowedPlace[] | undefined) {
    this.#reach = allowed && new SandboxReach(allowed, reportTogether());
  }

  receive(message: PrimaryMessage): void {
    switch (message.kind) {
      case "start":
        void this.#start(message.order);
        return;
      case "drain":
        void this.#leave(message);
        return;
      case "cut":
        this.#serving?.worker.cut();
        return;
      case "report":
        if (this.#serving !== undefined) send({ kind: "report", report: this.#serving.worker.report() });
        return;
      case "confine":
        return;
      default:
        if (this.#serving === undefined) this.#early.push(message);
        else this.#passOn(message, this.#serving);
    }
  }

  /** Without the primary, no process can replace or stop this one. */
  orphaned(): void {
    if (this.#order === undefined) process.exit(1);
    void this.#leave({ mode: "stopping", grace: this.#order.settings.server.grace });
  }

  async #start(order: StartOrder): Promise<void> {
    const { settings, sockets, privileges, title } = order;
    this.#order = order;
    process.title = title;
    const events = new EventLog([eventsToPrimary(settings.server.logLevel)]);
    watchForFaults(events);
    try {
      const isEnclosed = privileges.chroot !== undefined;
      // Caches the time zone while /etc/localtime is visible.
      if (isEnclosed) new Date().getTimezoneOffset();
      const onLostThread = (): void =>
        send({ kind: "retire", why: "a thread has died and cannot be replaced in a chroot" });
      const pool = servesSites(settings)
        ? await openTaskThreads(settings, events, isEnclosed, onLostThread)
        : undefined;
      const loaded = await loadNative();
      const native = loaded.kind === "native" ? loaded.native : undefined;
      const log = new HandedLog({ handed: order.accessLog, relay, receiveDescriptor: native?.receiveDescriptor });
      const access = new AccessLog(log, events);
      // Before the chroot hides /proc.
      const held = withinDescriptors(settings, isEnclosed || pool === undefined ? 0 : settings.server.workers);
      dropPrivileges(privileges, native);
      const worker = await startWorker({
        settings: held,
        logs: { access, events },
        sockets,
        tls: order.tls,
        backends: order.backends,
        pool,
        send,
        native: native && {
          openExactly: (path, flags) => openExactPath(native, path, flags),
          stat: native.stat,
        },
        reach: this.#reach,
      });
      this.#serving = { worker, access, log };
      for (const message of this.#early) this.#passOn(message, this.#serving);
      await tell({ kind: "ready", served: worker.served });
      if (this.#farewell !== undefined) await this.#leave(this.#farewell);
    } catch (error) {
      const message = error instanceof StartupError ? error.message : describeThrown(error);
      await tell({ kind: "failed", message });
      process.exit(1);
    }
  }

  #passOn(message: LogMessage | RoleMessage, { log, worker }: Serving): void {
    if (message.kind === "log-reopened" || message.kind === "log-writer") log.receive(message);
    else worker.receive(message);
  }

  async #leave(request: DrainRequest): Promise<void> {
    this.#farewell = request;
    // It may listen already and have accepted a connection: the start goes on, then drains.
    if (this.#serving === undefined) return;
    const { worker, access } = this.#serving;
    const outcome = worker.drain(request.mode, request.grace);
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const ended = await outcome;
    await access.close();
    await tell({ kind: "drained", cut: ended.kind === "cut" ? ended.cut : 0 });
    process.exit(0);
  }
}

/** What is out of reach is found so in every turn: all of it together is sent at the end of one, then none for a while. */
function reportTogether(): (place: AbsolutePath) => void {
  const places = new Set<AbsolutePath>();
  let isWaiting = false;
  return (place) => {
    places.add(place);
    if (isWaiting) return;
    isWaiting = true;
    setImmediate(() => {
      send({ kind: "out-of-reach", places: [...places] });
      places.clear();
      setTimeout(() => {
        isWaiting = false;
      }, REPORT_INTERVAL_MS).unref();
    });
  };
}

function send(message: WorkerMessage): void {
  void tell(message);
}

/** Resolves when the kernel has the message, or the primary has gone. */
function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

function eventsToPrimary(level: EventLevel): EventSink {
  return { level, write: (eventLevel, text) => send({ kind: "event", level: eventLevel, text }) };
}

async function relay(lines: Uint8Array, refusal?: Refusal): Promise<void> {
  if (!process.connected) throw new Error("the primary process has exited");
  await tell({ kind: "log", lines, refusal });
}

/** After an uncaught exception the state is unknown, so the process ends; the primary starts another. */
function watchForFaults(events: EventLog): void {
  process.on("unhandledRejection", (fault) => events.error("unhandled internal error", fault));
  process.on("uncaughtException", (fault) => {
    const text = `a worker process stops after an internal error\n${describeThrown(fault)}`;
    void tell({ kind: "event", level: "error", text }).then(() => process.exit(1));
  });
}
