/** One worker process, as the primary sees it: start, messages, and the words for its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { StartupError } from "../base/errors.ts";
import { type Milliseconds, milliseconds, type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";
import type { Native } from "../system/native.ts";
import type { Confinement } from "../system/sandbox-plan.ts";
import type { ServedEndpoint } from "../transport/endpoint.ts";
import {
  type DrainMode,
  FIRST_INHERITED,
  type HandedFile,
  markStage,
  type PrimaryMessage,
  type ServerMessage,
  type StartOrder,
  type WorkerMessage,
  type WorkerReport,
} from "../worker/messages.ts";
import type { LifeSpan } from "./respawn-delay.ts";

export interface WorkerChildOptions {
  readonly order: Omit<StartOrder, "accessLog">;
  readonly accessLog: Omit<HandedFile, "socket">;
  /** Undefined where there is no sandbox. */
  readonly confinement: Confinement | undefined;
  /** Undefined without koffi: then no descriptor can be passed to a running process. */
  readonly native: Native | undefined;
  /** Called until the process has ended. */
  readonly onMessage: (message: ServerMessage) => void;
}

/** `cut`: connections it had to cut; undefined when it did not report them. `how` completes "worker process N …". */
export interface WorkerEnd {
  readonly how: string;
  readonly cut: number | undefined;
  readonly life: LifeSpan;
}

const ENTRY = fileURLToPath(new URL("../worker-main.js", import.meta.url));
/** Characters of its last output, kept to explain its end. */
const KEPT_OUTPUT = 2000;
const REPORT_TIMEOUT_MS = 1000;

// MiB of V8's nursery, 16 by default. V8 keeps it for long, which doubled the memory of 10,000 idle connections.
// Requests make so little garbage that 2 MiB serve them as fast.
const SMALL_NURSERY = "--max-semi-space-size=2";

export class WorkerChild {
  /** Undefined when spawn failed. */
  readonly pid: number | undefined;
  readonly startedAt: UnixMilliseconds;
  /** @throws StartupError with the worker's own words, or with how it ended before it had any */
  readonly ready: Promise<readonly ServedEndpoint[]>;
  /** Never rejects; all its messages have been received by then. */
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  readonly #options: WorkerChildOptions;
  /** Passes the access log's descriptor after a reopen. */
  #logSocket: number | undefined;
  /** Sent after the start order. */
  readonly #waiting: PrimaryMessage[] = [];
  #output = "";
  #isOutOfMemory = false;
  #isStarted = false;
  #readyAt: number | undefined;
  #cut: number | undefined;
  #hasEnded = false;
  #becomeReady: (served: readonly ServedEndpoint[]) => void = () => undefined;
  #fail: (error: StartupError) => void = () => undefined;
  #takeReport: (report: WorkerReport | undefined) => void = () => undefined;

  constructor(options: WorkerChildOptions) {
    this.#options = options;
    this.startedAt = unixMilliseconds(Date.now());
    const [ownEnd, itsEnd] = openLogSocket(options.native);
    this.#logSocket = ownEnd;
    const inherited = [
      ...options.order.sockets.map(({ descriptor }) => descriptor),
      ...[options.accessLog.descriptor, itsEnd].filter((each) => each !== undefined),
    ];
    this.#child = spawn(process.execPath, [SMALL_NURSERY, ...process.execArgv, ENTRY], {
      stdio: ["ignore", "ignore", "pipe", "ipc", ...inherited],
      serialization: "advanced",
      env: { ...ownEnvironment(), ...markStage(options.confinement === undefined ? "serve" : "confine") },
    });
    if (itsEnd !== undefined) closeSync(itsEnd);
    this.pid = this.#child.pid;
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#fail = reject;
    });
    // An unhandled rejection must not end the primary: `ended` reports the same.
    this.ready.catch(() => undefined);
    this.ended = this.#waitForEnd();
    this.#child.on("message", (message: WorkerMessage) => this.#receive(message));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#keepOutput(text));
    if (options.confinement !== undefined) {
      this.#write({ kind: "confine", confinement: options.confinement, inherited: inherited.length });
    }
  }

  /** May be called again with a shorter grace. A worker without a start order is killed. */
  drain(mode: DrainMode, grace: Milliseconds | undefined): void {
    if (this.#isStarted) this.send({ kind: "drain", mode, grace });
    else this.kill();
  }

  /** A process without a start order gets the message after it. */
  send(message: PrimaryMessage): void {
    if (this.#isStarted) this.#write(message);
    else this.#waiting.push(message);
  }

  /** For a reopened access log. @param descriptor  undefined where only the primary may write to it */
  handLog(descriptor: number | undefined): void {
    this.send({ kind: "log-reopened", isHanded: descriptor !== undefined && this.#hand(descriptor) });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** @returns undefined when it does not answer in time */
  async report(): Promise<WorkerReport | undefined> {
    if (this.#hasEnded) return undefined;
    const answered = new Promise<WorkerReport | undefined>((resolve) => {
      this.#takeReport = resolve;
    });
    const timer = setTimeout(() => this.#takeReport(undefined), REPORT_TIMEOUT_MS);
    this.send({ kind: "report" });
    const report = await answered;
    clearTimeout(timer);
    return report;
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case "loaded":
        this.#isStarted = true;
        for (const each of [this.#startMessage(), ...this.#waiting]) this.#write(each);
        return;
      case "ready":
        this.#readyAt = Date.now();
        this.#becomeReady(message.served);
        return;
      case "failed":
        this.#fail(new StartupError(message.message));
        return;
      case "report":
        this.#takeReport(message.report);
        return;
      case "drained":
        this.#cut = message.cut;
        return;
      default:
        this.#options.onMessage(message);
    }
  }

  #hand(descriptor: number): boolean {
    if (this.#logSocket === undefined) return false;
    try {
      this.#options.native?.sendDescriptor(this.#logSocket, descriptor);
      return true;
    } catch {
      // The process does not read its socket, or has ended.
      return false;
    }
  }

  /** Descriptors have other numbers in the worker. */
  #startMessage(): PrimaryMessage {
    const { order, accessLog } = this.#options;
    const sockets = order.sockets.map((socket, index) => ({
      ...socket,
      descriptor: FIRST_INHERITED + index,
    }));
    let next = FIRST_INHERITED + sockets.length;
    const descriptor = accessLog.descriptor === undefined ? undefined : next++;
    const socket = this.#logSocket === undefined ? undefined : next++;
    return { kind: "start", order: { ...order, sockets, accessLog: { ...accessLog, descriptor, socket } } };
  }

  #write(message: PrimaryMessage): void {
    if (!this.#child.connected) return;
    // An error means that the worker has gone, which its end reports.
    this.#child.send(message, () => undefined);
  }

  #waitForEnd(): Promise<WorkerEnd> {
    return new Promise((resolve) => {
      const end = (how: string, signal?: NodeJS.Signals | null): void => {
        if (this.#hasEnded) return;
        this.#hasEnded = true;
        if (this.#logSocket !== undefined) closeSync(this.#logSocket);
        this.#logSocket = undefined;
        this.#takeReport(undefined);
        const lastWords = this.#output.trim();
        this.#fail(new StartupError(`a worker process ${how} before it was ready${lastWords && `: ${lastWords}`}`));
        if (this.#readyAt !== undefined && lastWords !== "")
          this.#options.onMessage({
            kind: "event",
            level: "warn",
            text: `worker process ${this.pid} printed: ${lastWords}`,
          });
        const served = milliseconds(this.#readyAt === undefined ? 0 : Date.now() - this.#readyAt);
        resolve({ how, cut: this.#cut, life: { served, signal: signal ?? undefined } });
      };
      this.#child.once("error", (error) => end(`could not be started: ${error.message}`));
      this.#child.once("close", (status, signal) => end(describeEnd(status, signal, this.#isOutOfMemory), signal));
    });
  }

  /** Output of Node itself: warnings, and why it gave up. */
  #keepOutput(text: string): void {
    const output = this.#output + text;
    // The reason is printed first, a long list of addresses after it.
    this.#isOutOfMemory ||= OUT_OF_MEMORY.test(output);
    this.#output = output.slice(-KEPT_OUTPUT);
  }
}

function openLogSocket(native: Native | undefined): readonly [own?: number, its?: number] {
  try {
    return native?.socketPair() ?? [];
  } catch {
    // No free descriptor: then spawn fails too and reports it.
    return [];
  }
}

/** With io_uring Node refuses to change the user: the kernel's threads for it would keep the old one. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { UV_USE_IO_URING: _, ...environment } = process.env;
  return environment;
}

const OUT_OF_MEMORY = /heap out of memory|Allocation failed/;

function describeEnd(status: number | null, signal: NodeJS.Signals | null, isOutOfMemory: boolean): string {
  if (isOutOfMemory) return "ran out of memory";
  if (signal !== null) return `was ended by ${signal}`;
  return status === 0 ? "ended by itself" : `ended with status ${status}`;
}
