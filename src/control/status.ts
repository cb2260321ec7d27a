/**
 * `comanche status`: whether a server runs, and what its state file says. Exit status as in the Linux Standard Base for
 * init scripts: 0 running, 1 died and left its PID file, 3 not running, 4 unknown.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { StartupError, unreachable } from "../base/errors.ts";
import { formatHumanSize } from "../base/human-size.ts";
import { type Bytes, type Milliseconds, milliseconds, type UnixMilliseconds } from "../base/units.ts";
import { localOffset } from "../observe/local-zone.ts";
import { formatConsoleTime } from "../observe/log-time.ts";
import { findHolder, type Holder } from "./holder.ts";
import type { PidFilePath } from "./pid-file.ts";
import { type PidFileContent, readPidFile } from "./pid-file-content.ts";
import { readResidentMemory } from "./process-info.ts";
import { readStateOf, type ServerPhase, type ServerState } from "./state-file.ts";

export type StatusOutcome =
  | {
      readonly kind: "running";
      readonly pid: number;
      readonly path: AbsolutePath;
      /** Undefined without a readable state file. */
      readonly state: ServerState | undefined;
      /** By PID, of the primary and its workers; ended processes are missing. */
      readonly memory: ReadonlyMap<number, Bytes>;
    }
  /** `holder`: of the PID in the file; undefined for an empty one. */
  | {
      readonly kind: "dead";
      readonly holder: Extract<Holder, { kind: "gone" | "stranger" }> | undefined;
      readonly path: AbsolutePath;
    }
  | { readonly kind: "not-running"; readonly paths: readonly AbsolutePath[] }
  | { readonly kind: "unknown"; readonly why: string };

export interface StatusReport {
  readonly message: string;
  readonly exitStatus: 0 | 1 | 3 | 4;
}

/** The first place with a live server; else the first with any other finding. Never throws. */
export function lookAtServer(places: readonly PidFilePath[]): StatusOutcome {
  const found = places.map(({ path }) => lookAtPlace(path)).filter((each) => each !== undefined);
  const running = found.find(({ kind }) => kind === "running");
  return running ?? found[0] ?? { kind: "not-running", paths: places.map(({ path }) => path) };
}

export function describeStatus(outcome: StatusOutcome, now: UnixMilliseconds): StatusReport {
  switch (outcome.kind) {
    case "running":
      return { message: describeRunning(outcome, now).join("\n"), exitStatus: 0 };
    case "dead": {
      const { holder, path } = outcome;
      const what = holder === undefined ? "is empty" : `names PID ${holder.pid}, which ${describeEnd(holder)}`;
      return { message: `not running, and it did not stop cleanly: PID file ${path} ${what}`, exitStatus: 1 };
    }
    case "not-running":
      return { message: `not running: no PID file ${outcome.paths.join(" or ")}`, exitStatus: 3 };
    case "unknown":
      return { message: `cannot tell whether the server runs: ${outcome.why}`, exitStatus: 4 };
    default:
      return unreachable(outcome);
  }
}

function describeEnd(holder: Extract<Holder, { kind: "gone" | "stranger" }>): string {
  return holder.kind === "gone" ? "no longer runs" : `is another program now (${holder.command})`;
}

/** In its two largest units: `12 s`, `3 min 5 s`, `2 h 4 min`, `30 days 4 h`. */
export function formatAge(age: Milliseconds): string {
  // The wall clock may have been set back.
  const total = Math.max(0, Math.floor(age / 1000));
  const days = Math.floor(total / 86_400);
  const hours = Math.floor(total / 3600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  const seconds = total % 60;
  if (days > 0) return `${days} ${days === 1 ? "day" : "days"} ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
}

type Running = Extract<StatusOutcome, { kind: "running" }>;
const LABEL_WIDTH = 15;

const PHASE_WORDS: Readonly<Record<ServerPhase, string>> = {
  starting: "starting",
  serving: "running",
  reloading: "running and reloading",
  stopping: "stopping",
};

/** @returns undefined where there is no PID file */
function lookAtPlace(path: AbsolutePath): StatusOutcome | undefined {
  let content: PidFileContent;
  try {
    content = readPidFile(path);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return { kind: "unknown", why: error.message };
  }
  switch (content.kind) {
    case "absent":
      return undefined;
    case "foreign":
      return { kind: "unknown", why: `${path} is not a PID file` };
    case "empty":
      return { kind: "dead", holder: undefined, path };
    case "pid":
      return lookAtHolder(findHolder(content, path), path);
    default:
      return unreachable(content);
  }
}

function lookAtHolder(holder: Holder, path: AbsolutePath): StatusOutcome {
  switch (holder.kind) {
    case "server":
      return lookAtRunning(holder.pid, path);
    case "gone":
    case "stranger":
      return { kind: "dead", holder, path };
    case "unproven": {
      const why = `nothing proves that PID ${holder.pid} of PID file ${path} is Comanche (${holder.command})`;
      return { kind: "unknown", why };
    }
    default:
      return unreachable(holder);
  }
}

function lookAtRunning(pid: number, path: AbsolutePath): Running {
  const state = readStateOf(pid, path);
  const pids = [pid, ...(state?.workers ?? []).map((worker) => worker.pid)];
  const memory = pids.flatMap((each) => {
    const resident = readResidentMemory(each);
    return resident === undefined ? [] : [[each, resident] as const];
  });
  return { kind: "running", pid, path, state, memory: new Map(memory) };
}

function describeRunning({ pid, path, state, memory }: Running, now: UnixMilliseconds): readonly string[] {
  const resident = memory.get(pid);
  const ownMemory = resident === undefined ? "" : `, ${formatHumanSize(resident)}`;
  if (state === undefined) {
    return [`running (PID ${pid}${ownMemory}, PID file ${path})`, "no further details: its state file cannot be read"];
  }
  return [
    `Comanche ${state.version} is ${PHASE_WORDS[state.phase]} (PID ${pid}${ownMemory})`,
    row("since", `${formatMoment(state.startedAt)}, for ${ageAt(now, state.startedAt)}`),
    row("configuration", state.configFile ?? "none"),
    ...state.endpoints.map((endpoint, index) => row(index === 0 ? "listens at" : "", endpoint)),
    row("generation", String(state.generation)),
    ...state.workers.map((worker) => row(`worker ${worker.pid}`, describeWorker(worker, state, memory, now))),
    row("last reload", state.reload === undefined ? "none" : describeLastReload(state.reload)),
  ];
}

function describeWorker(
  { pid, startedAt, generation }: ServerState["workers"][number],
  state: ServerState,
  memory: ReadonlyMap<number, Bytes>,
  now: UnixMilliseconds,
): string {
  const resident = memory.get(pid);
  const size = resident === undefined ? "has just exited" : formatHumanSize(resident);
  const draining = generation === state.generation ? "" : `, draining (generation ${generation})`;
  return `for ${ageAt(now, startedAt)}, ${size}${draining}`;
}

/** Further lines of its message are indented like the first. */
function describeLastReload({ outcome, message, at }: NonNullable<ServerState["reload"]>): string {
  const [first = "", ...rest] = message.split("\n");
  const lines = [`${formatMoment(at)}, ${outcome}${first === "" ? "" : `: ${first}`}`, ...rest];
  return lines.join(`\n${row("", "")}`);
}

const row = (label: string, text: string): string => `  ${label.padEnd(LABEL_WIDTH)} ${text}`;
const formatMoment = (moment: UnixMilliseconds): string => formatConsoleTime(moment, localOffset(moment));
const ageAt = (now: UnixMilliseconds, then: UnixMilliseconds): string => formatAge(milliseconds(now - then));
