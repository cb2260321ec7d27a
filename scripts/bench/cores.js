/**
 * Which cores the servers run on and which the client: never the same, so that neither takes time from the other.
 *
 * Two threads of one physical core count as one. Where there are too few cores for both, server and client share them all,
 * and the result says so: then only ratios mean something.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** More client cores than this for each core of the server would stand idle. */
const CLIENT_CORES_PER_SERVER_CORE = 2;

/**
 * @param physicalCores  for each physical core the numbers of its threads
 * @returns `apart` with disjoint cores, or `shared` with the same cores for both
 */
export function planCores(physicalCores, serverCores) {
  const first = physicalCores.map((threads) => threads[0]);
  if (first.length <= serverCores) {
    const all = first.slice(0, serverCores);
    return { kind: "shared", server: all, client: all };
  }
  const clientCores = first.slice(serverCores, serverCores * (1 + CLIENT_CORES_PER_SERVER_CORE));
  return { kind: "apart", server: first.slice(0, serverCores), client: clientCores };
}

/** As the kernel writes lists of processors: `0-2,5` is 0, 1, 2 and 5. */
function parseCoreList(text) {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [from, to = from] = part.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}

/** The processors this process may use, those of one physical core together. */
export function physicalCores() {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "latin1"))[1];
  const groups = new Map();
  for (const core of parseCoreList(allowed)) {
    const key = siblingsOf(core);
    groups.set(key, [...(groups.get(key) ?? []), core]);
  }
  return [...groups.values()];
}

function siblingsOf(core) {
  try {
    return readFileSync(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`, "latin1").trim();
  } catch {
    // Some containers hide it.
    return String(core);
  }
}

/** The words that start a command on these cores. */
export function onCores(cores, command) {
  return ["taskset", "-c", cores.join(","), ...command];
}

/** This process looks on while others are measured: it must not do so on the server's cores. */
export function moveTo(cores) {
  const { status, stderr } = spawnSync("taskset", ["-a", "-p", "-c", cores.join(","), String(process.pid)], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot move to cores ${cores.join(",")}: ${stderr.trim()}`);
}
