/**
 * What the figures were taken on: a figure without it says nothing.
 */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";

/** More than any row needs. */
const MANY_DESCRIPTORS = 65_535;

export function describeMachine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    isVirtual: /^flags\s*:.*\bhypervisor\b/m.test(readIfThere("/proc/cpuinfo") ?? ""),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readIfThere("/etc/os-release") ?? "")?.[1] ?? type(),
    kernel: release(),
    congestionControl: readIfThere("/proc/sys/net/ipv4/tcp_congestion_control")?.trim() ?? "unknown",
    node: process.version,
  };
}

/** How many descriptors a process may have. Node raises its own limit to that, and its children inherit it. */
export function descriptorLimit() {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))[1];
  return hard === "unlimited" ? MANY_DESCRIPTORS : Math.min(Number(hard), MANY_DESCRIPTORS);
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
