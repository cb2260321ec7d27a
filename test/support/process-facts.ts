/**
 * What the kernel says of processes (proc(5)): who is whose child, and what they hold and use.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process that has ended and that nobody has asked for yet is not running. */
export function isRunning(pid: number): boolean {
  return !/^State:\s+[ZX]/m.test(readStatus(pid) ?? "State: X");
}

/** The children of all threads, zombies too. */
export function childrenOf(pid: number): readonly number[] {
  return threadsOf(pid).flatMap((thread) =>
    (readIfThere(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number),
  );
}

function threadsOf(pid: number): readonly number[] {
  return listIfThere(`/proc/${pid}/task`).map(Number);
}

/** What each descriptor leads to, such as `/etc/passwd`, `socket:[12]`, `anon_inode:[eventpoll]`. */
export function descriptorsOf(pid: number): readonly string[] {
  return listIfThere(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** @returns bytes; 0 for a process that has gone */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readStatus(pid) ?? "")?.[1] ?? 0);
}

/** @returns seconds of processor time used until now, told to a hundredth */
export function processorTime(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? "";
  // After the name, which may hold anything: utime and stime are the fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The lines of a status file by their names; of one thread where it is given. */
export function statusOf(pid: number, thread = pid): ReadonlyMap<string, string> {
  const text = readIfThere(`/proc/${pid}/task/${thread}/status`) ?? "";
  return new Map(
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
}

/** The ports of the clients whose connections to `port` this process has open. */
export function clientPortsOf(pid: number, port: number): ReadonlySet<number> {
  const inodes = new Set(descriptorsOf(pid).map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const ports = new Set<number>();
  // Columns: slot, local address, remote address, …; the tenth is the inode.
  for (const line of (readIfThere("/proc/net/tcp") ?? "").split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [local, remote] = [columns[1], columns[2]].map((address) =>
      Number.parseInt(address?.split(":")[1] ?? "", 16),
    );
    if (local === port && remote !== undefined && inodes.has(columns[9])) ports.add(remote);
  }
  return ports;
}

function readStatus(pid: number): string | undefined {
  return readIfThere(`/proc/${pid}/status`);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

function listIfThere(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
