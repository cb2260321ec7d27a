/**
 * Memory of a server with all its processes, from /proc: every page once.
 *
 * To add up what each process has resident would count shared pages several times. The kernel's proportional share would
 * make a server on node look thrifty whenever other programs on node run. So anonymous pages, which only the processes of
 * one server share, count by their proportional share, and pages of files once for the server, whoever else has them.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { processesOf } from "./processor-time.js";

const KIB = 1024;
const LOOK_EVERY_MS = 500;
const LOOKS_AT_MOST = 10;
/** Less than this between two looks is no change. */
const STEADY_BYTES = 64 * KIB;

/** Shared memory that only looks like a file. */
const NO_FILE = /^(\/dev\/zero|\/dev\/shm|\/memfd:|\/SYSV|\[)/;

/** @returns bytes: `once` counts as said above, `resident` is the sum that ps(1) would give */
function memoryOf(leader) {
  return addUp(processesOf(leader).flatMap(({ pid }) => readMaps(pid)));
}

/** What a server holds when it has settled, or after five seconds at the latest. */
export async function steadyMemory(leader) {
  let before = memoryOf(leader);
  for (let look = 0; look < LOOKS_AT_MOST; look += 1) {
    await sleep(LOOK_EVERY_MS);
    const now = memoryOf(leader);
    if (Math.abs(now.once - before.once) < STEADY_BYTES) return now;
    before = now;
  }
  return before;
}

/** @param maps  the mappings of all processes together */
function addUp(maps) {
  const files = new Map();
  let shares = 0;
  let resident = 0;
  for (const { key, isFile, rss, pss, anonymous } of maps) {
    resident += rss;
    if (!isFile) {
      shares += pss;
      continue;
    }
    // A page of a file that a process has written to is its own.
    shares += anonymous;
    files.set(key, Math.max(files.get(key) ?? 0, rss - anonymous));
  }
  return { once: shares + [...files.values()].reduce((sum, bytes) => sum + bytes, 0), resident };
}

/** The text of /proc/PID/smaps (proc(5)): for each mapping a line that says what it is, and lines of sizes in kB. */
function parseMaps(text) {
  return text
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((part) => part !== "")
    .map((part) => {
      const [, offset, device, inode, path] = /^\S+ \S+ (\S+) (\S+) (\d+) *(.*)$/m.exec(part);
      const size = (name) => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(part)?.[1] ?? 0) * KIB;
      const isFile = inode !== "0" && !NO_FILE.test(path);
      return {
        key: `${device} ${inode} ${offset}`,
        isFile,
        ...{ rss: size("Rss"), pss: size("Pss"), anonymous: size("Anonymous") },
      };
    });
}

function readMaps(pid) {
  try {
    return parseMaps(readFileSync(`/proc/${pid}/smaps`, "latin1"));
  } catch {
    // It ended while we were looking.
    return [];
  }
}
