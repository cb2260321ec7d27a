/** What can be seen of another process. Without /proc (proc_pid_stat(5)) only whether it lives is known. */
import { readFileSync } from "node:fs";
import { attempt } from "../base/errors.ts";
import { isProcessAlive } from "../base/process-alive.ts";
import { type Bytes, bytes, type UnixMilliseconds, unixMilliseconds } from "../base/units.ts";

export type ProcessState =
  /** No such PID, or a zombie. */
  { readonly kind: "gone" } | { readonly kind: "alive"; readonly info: ProcessInfo | undefined };

interface ProcessInfo {
  /** At most 15 bytes: `node`, or the beginning of the process title. */
  readonly command: string;
  /** In hundredths of a second since boot; independent of the wall clock. */
  readonly startTicks: number;
  /** To a second, the precision of the boot time; wrong by any change of the wall clock since. */
  readonly startedAt: UnixMilliseconds;
  /** Whose rights it has; undefined where that is not known. */
  readonly user: number | undefined;
}

export function inspectProcess(pid: number): ProcessState {
  if (!isProcessAlive(pid)) return { kind: "gone" };
  const stat = readProc(`/proc/${pid}/stat`);
  const parsed = stat === undefined ? undefined : parseProcessStat(stat);
  if (parsed !== undefined && ENDED_STATES.has(parsed.state)) return { kind: "gone" };
  const boot = parseBootTime(readProc("/proc/stat") ?? "");
  const info =
    parsed === undefined || boot === undefined
      ? undefined
      : {
          command: parsed.command,
          startTicks: parsed.startTicks,
          startedAt: unixMilliseconds((boot + parsed.startTicks / TICKS_A_SECOND) * 1000),
          user: parseUser(readProc(`/proc/${pid}/status`) ?? ""),
        };
  return { kind: "alive", info };
}

/** Distinguishes a process from every other one, before or after it, on this machine; undefined without /proc. */
export function identifyProcess(pid: number): string | undefined {
  const startTicks = parseProcessStat(readProc(`/proc/${pid}/stat`) ?? "")?.startTicks;
  if (startTicks === undefined) return undefined;
  return `${readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? "this boot"}, ${startTicks}`;
}

export interface ProcessStat {
  readonly command: string;
  readonly state: string;
  readonly startTicks: number;
}

/** @param text  of /proc/PID/stat. The command is in parentheses and may contain blanks and parentheses */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const match = /^\d+ \((.*)\) (\S) (.*)/s.exec(text);
  if (match === null) return undefined;
  const [, command = "", state = "", rest = ""] = match;
  const startTicks = Number(rest.split(" ")[START_TIME_AFTER_STATE]);
  return Number.isSafeInteger(startTicks) ? { command, state, startTicks } : undefined;
}

/** @param text  of /proc/stat. @returns when the machine started, in seconds since 1970 */
export function parseBootTime(text: string): number | undefined {
  const match = /^btime (\d+)$/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** @param text  of /proc/PID/status. The owner of /proc/PID is root for some processes of others */
function parseUser(text: string): number | undefined {
  const match = /^Uid:\s+\d+\s+(\d{1,10})\s/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Resident memory (proc_pid_status(5)) with shared pages; undefined without such a process or without /proc. */
export function readResidentMemory(pid: number): Bytes | undefined {
  const text = readProc(`/proc/${pid}/status`);
  return text === undefined ? undefined : parseResidentMemory(text);
}

/** @param text  of /proc/PID/status; an ended process has no such line */
export function parseResidentMemory(text: string): Bytes | undefined {
  const match = /^VmRSS:\s+(\d{1,12}) kB$/m.exec(text);
  return match === null ? undefined : bytes(Number(match[1]) * 1024);
}

// Zombie; dead.
const ENDED_STATES: ReadonlySet<string> = new Set(["Z", "X", "x"]);
// USER_HZ: the unit of /proc, whatever the kernel's own tick.
const TICKS_A_SECOND = 100;
// Field 22; the fields after the state begin with number 4.
const START_TIME_AFTER_STATE = 22 - 4;

function readProc(path: string): string | undefined {
  return attempt(() => readFileSync(path, "latin1"));
}
