/** A server's report for `reload` and `status`: JSON beside the PID file, replaced by rename, so always whole. */
import { closeSync, constants, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { attempt } from "../base/errors.ts";
import { type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";

export interface ServerState {
  readonly pid: number;
  /** As `identifyProcess` has it: it proves that the process of that PID wrote this. */
  readonly process: string | undefined;
  readonly version: string;
  readonly phase: ServerPhase;
  readonly startedAt: UnixMilliseconds;
  /** 1 at first; each successful reload adds one. */
  readonly generation: number;
  readonly configFile: string | undefined;
  /** As printed at the start. */
  readonly endpoints: readonly string[];
  readonly workers: readonly WorkerState[];
  /** SIGHUPs received. */
  readonly hangups: number;
  /** The last reload that has ended; undefined before the first. */
  readonly reload: ReloadState | undefined;
}

export type ServerPhase = (typeof PHASES)[number];

export interface WorkerState {
  readonly pid: number;
  readonly startedAt: UnixMilliseconds;
  readonly generation: number;
}

export interface ReloadState {
  /** How many hangups it answers, from the first. */
  readonly covers: number;
  readonly outcome: "done" | "failed";
  /** The result, or the reason of a failure; may have several lines. */
  readonly message: string;
  readonly at: UnixMilliseconds;
}

/** The server writes it at every change and removes it at its end. */
export class StateFile {
  readonly #path: AbsolutePath;
  readonly #temporary: AbsolutePath;

  constructor(pidFilePath: AbsolutePath) {
    this.#path = statePathOf(pidFilePath);
    // A constant name: the next server that writes removes what a killed one left.
    this.#temporary = absolutePath(`${this.#path}.new`);
  }

  /** Ignores failures: a full disk is no reason to stop a server. */
  write(state: ServerState): void {
    try {
      rmSync(this.#temporary, { force: true });
      // `wx` is O_EXCL: it follows no link that another user has put there.
      writeFileSync(this.#temporary, `${JSON.stringify(state)}\n`, { flag: "wx", mode: 0o644 });
      renameSync(this.#temporary, this.#path);
    } catch {
      attempt(() => rmSync(this.#temporary, { force: true }));
    }
  }

  remove(): void {
    attempt(() => rmSync(this.#path, { force: true }));
  }
}

/** @returns undefined where there is none, or none that can be read */
export function readState(pidFilePath: AbsolutePath): ServerState | undefined {
  return attempt(() => {
    // O_NONBLOCK: do not wait for a writer of a FIFO.
    const descriptor = openSync(statePathOf(pidFilePath), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return parseState(JSON.parse(readFileSync(descriptor, "utf8")));
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Ignores the state that an earlier server left. */
export function readStateOf(pid: number, pidFilePath: AbsolutePath): ServerState | undefined {
  const state = readState(pidFilePath);
  return state?.pid === pid ? state : undefined;
}

/** @returns undefined for anything else. Unknown members of a newer version are left out */
export function parseState(value: unknown): ServerState | undefined {
  if (!isRecord(value)) return undefined;
  const { pid, version, phase: wanted, startedAt, generation, configFile, endpoints, hangups } = value;
  const phase = PHASES.find((each) => each === wanted);
  const workers = parseList(value.workers, parseWorker);
  const reload = value.reload === undefined ? undefined : parseReload(value.reload);
  if (!isProcessId(pid) || typeof version !== "string" || phase === undefined || !isCount(startedAt)) return undefined;
  if (!isCount(generation) || !(configFile === undefined || typeof configFile === "string")) return undefined;
  if (!isTexts(endpoints) || workers === undefined || !isCount(hangups)) return undefined;
  if (reload === undefined && value.reload !== undefined) return undefined;
  if (!(value.process === undefined || typeof value.process === "string")) return undefined;
  return {
    pid,
    process: value.process,
    version,
    phase,
    startedAt: unixMilliseconds(startedAt),
    generation,
    configFile,
    endpoints,
    workers,
    hangups,
    reload,
  };
}

const PHASES = ["starting", "serving", "reloading", "stopping"] as const;

function statePathOf(pidFilePath: AbsolutePath): AbsolutePath {
  return absolutePath(`${pidFilePath}.state`);
}

function parseWorker(value: unknown): WorkerState | undefined {
  if (!isRecord(value)) return undefined;
  const { pid, startedAt, generation } = value;
  if (!isProcessId(pid) || !isCount(startedAt) || !isCount(generation)) return undefined;
  return { pid, startedAt: unixMilliseconds(startedAt), generation };
}

function parseReload(value: unknown): ReloadState | undefined {
  if (!isRecord(value)) return undefined;
  const { covers, outcome, message, at } = value;
  if (!isCount(covers) || !isCount(at) || typeof message !== "string") return undefined;
  if (outcome !== "done" && outcome !== "failed") return undefined;
  return { covers, outcome, message, at: unixMilliseconds(at) };
}

/** @returns undefined when it is no list, or one item cannot be read */
function parseList<Item>(value: unknown, parse: (item: unknown) => Item | undefined): readonly Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(parse).filter((item) => item !== undefined);
  return items.length === value.length ? items : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** 0 and negative numbers mean process groups in kill(2). */
function isProcessId(value: unknown): value is number {
  return isCount(value) && value > 0;
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
