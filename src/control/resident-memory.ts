/**
 * How much memory a process has resident (proc_pid_status(5)). What processes share counts in each of them.
 */
import { readFileSync } from "node:fs";
import { type Bytes, bytes } from "../base/units.ts";

/** @returns undefined where there is no such process, or /proc does not tell */
export function readResidentMemory(pid: number): Bytes | undefined {
  try {
    return parseResidentMemory(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return undefined;
  }
}

/** @param text  of /proc/PID/status; a process that has ended has no such line */
export function parseResidentMemory(text: string): Bytes | undefined {
  const match = /^VmRSS:\s+(\d{1,12}) kB$/m.exec(text);
  return match === null ? undefined : bytes(Number(match[1]) * 1024);
}
