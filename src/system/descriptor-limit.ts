/**
 * How many descriptors a worker process may have (RLIMIT_NOFILE), and whether that is enough for `max-connections`.
 *
 * The primary raises its own limit before it starts the workers, which inherit it. Node itself raises the soft limit to
 * the hard one when it starts. Only root can raise the hard one, and only up to /proc/sys/fs/nr_open.
 */
import { readdirSync, readFileSync } from "node:fs";
import { attempt } from "../base/errors.ts";
import { withFewerConnections } from "../config/limits-per-worker.ts";
import type { Settings } from "../config/settings.ts";
import type { DescriptorLimit, Native } from "./native.ts";

/** What the whole server is set to, its sites and terminators together. */
export interface DescriptorNeed {
  readonly maxConnections: number;
  readonly processes: number;
  /** Task threads; 0 where no site is served. */
  readonly threads: number;
}

/**
 * Raises the limit as far as that is needed and allowed. Call it before the workers are started.
 *
 * @param native  undefined without koffi: then the limit can only be looked at
 * @returns a warning when `max-connections` cannot be held, else undefined
 */
export function raiseDescriptorLimit(need: DescriptorNeed, native: Native | undefined): string | undefined {
  const current = native?.descriptorLimit() ?? readDescriptorLimit();
  if (current === undefined) return undefined;
  const mayRaise = native !== undefined && process.geteuid?.() === 0;
  const wanted = planDescriptorLimit(need, current, mayRaise ? readDescriptorCeiling() : current.hard);
  return describeShortage(need, native !== undefined && trySet(native, wanted) ? wanted : current);
}

/** @param ceiling  the highest hard limit that may be set; a limit that is higher already stays */
export function planDescriptorLimit(need: DescriptorNeed, current: DescriptorLimit, ceiling: number): DescriptorLimit {
  // Not more than needed: programs that close every descriptor there may be take their time over a high limit.
  const wanted = descriptorsNeeded(need);
  const hard = Math.max(current.hard, Math.min(wanted, ceiling));
  return { soft: Math.max(current.soft, Math.min(wanted, hard)), hard };
}

/** The warning; undefined when the limit is enough even if every connection reads a file. */
export function describeShortage(need: DescriptorNeed, { soft }: DescriptorLimit): string | undefined {
  if (soft >= descriptorsNeeded(need)) return undefined;
  const each = Math.max(0, Math.floor((soft - otherDescriptors(need)) / DESCRIPTORS_A_CONNECTION));
  const held = each * need.processes;
  const remedy = held > 0 ? ` or set max-connections = ${held}` : need.threads > 0 ? " or lower workers" : "";
  return `max-connections = ${need.maxConnections} needs more file descriptors than the limit of ${soft} per process allows: enough for ${held} connections. Raise LimitNOFILE= in the unit (ulimit -n)${remedy}`;
}

/**
 * With no more connections than this worker has descriptors for: accept(2) without a free one would fail again and again.
 *
 * @param settings  its share
 * @param threads  task threads that are still to start
 */
export function withinDescriptors(settings: Settings, threads: number): Settings {
  const limit = readDescriptorLimit();
  const open = attempt(() => readdirSync("/proc/self/fd").length);
  if (limit === undefined || open === undefined) return settings;
  return withFewerConnections(settings, connectionsHeld(limit, open, threads));
}

/** @param open  how many descriptors are open now */
export function connectionsHeld({ soft }: DescriptorLimit, open: number, threads: number): number {
  const free = soft - open - TURNED_AWAY - SPARE - DESCRIPTORS_A_THREAD * threads;
  return Math.max(1, Math.floor(free / DESCRIPTORS_A_CONNECTION));
}

/** @param text  of /proc/PID/limits */
export function parseDescriptorLimit(text: string): DescriptorLimit | undefined {
  const match = /^Max open files +(\d+|unlimited) +(\d+|unlimited) /m.exec(text);
  if (match === null) return undefined;
  const [soft = 0, hard = 0] = match.slice(1).map((word) => (word === "unlimited" ? Infinity : Number(word)));
  return { soft, hard };
}

function descriptorsNeeded(need: DescriptorNeed): number {
  return DESCRIPTORS_A_CONNECTION * Math.ceil(need.maxConnections / need.processes) + otherDescriptors(need);
}

function otherDescriptors({ threads, processes }: DescriptorNeed): number {
  return TURNED_AWAY + RESERVE + DESCRIPTORS_A_THREAD * Math.ceil(threads / processes);
}

// At worst: a socket and a file, or two sockets.
const DESCRIPTORS_A_CONNECTION = 2;
// As many connections beyond the limit stay open until their clients have read the refusal (connection/turned-away.ts).
const TURNED_AWAY = 64;
// Channels, listening sockets, logs, document roots and what Node has open itself.
const RESERVE = 128;
// For what a process opens for a moment.
const SPARE = 16;
// A thread's event loop has four; a task opens a file and its folder; two to spare.
const DESCRIPTORS_A_THREAD = 8;

function trySet(native: Native, limit: DescriptorLimit): boolean {
  try {
    native.setDescriptorLimit(limit);
    return true;
  } catch {
    // EPERM: root of a container that may not.
    return false;
  }
}

function readDescriptorLimit(): DescriptorLimit | undefined {
  return parseDescriptorLimit(attempt(() => readFileSync("/proc/self/limits", "latin1")) ?? "");
}

function readDescriptorCeiling(): number {
  const ceiling = Number(attempt(() => readFileSync("/proc/sys/fs/nr_open", "latin1")));
  return ceiling > 0 ? ceiling : USUAL_CEILING;
}

// The kernel's own, where /proc does not tell.
const USUAL_CEILING = 2 ** 20;
