/**
 * The rights of each thread of this process, from /proc/self/task/TID/status (proc_pid_status(5)). User, groups,
 * capabilities and no_new_privs belong to a thread; this verifies that the C library changed them for all.
 */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";

export interface ThreadStatus {
  /** Real, effective, saved, and that of the file system. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly capabilities: Readonly<Record<CapabilitySet, bigint>>;
  readonly hasNoNewPrivileges: boolean;
}

type CapabilitySet = "inheritable" | "permitted" | "effective" | "bounding" | "ambient";

const CAPABILITY_FIELDS: readonly (readonly [CapabilitySet, string])[] = [
  ["inheritable", "CapInh"],
  ["permitted", "CapPrm"],
  ["effective", "CapEff"],
  ["bounding", "CapBnd"],
  ["ambient", "CapAmb"],
];

/** @returns undefined for a text that is no such file, or lacks one of the lines */
export function parseThreadStatus(text: string): ThreadStatus | undefined {
  const fields = new Map(
    text.split("\n").flatMap((line) => {
      const colon = line.indexOf(":");
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
    }),
  );
  const uids = parseNumbers(fields.get("Uid"));
  const gids = parseNumbers(fields.get("Gid"));
  const groups = parseNumbers(fields.get("Groups"));
  const sets = CAPABILITY_FIELDS.map(([name, field]) => [name, parseMask(fields.get(field))] as const);
  const noNew = fields.get("NoNewPrivs");
  if (uids?.length !== 4 || gids?.length !== 4 || groups === undefined) return undefined;
  if (sets.some(([, mask]) => mask === undefined) || (noNew !== "0" && noNew !== "1")) return undefined;
  const capabilities = Object.fromEntries(sets) as Record<CapabilitySet, bigint>;
  return { uids, gids, groups, capabilities, hasNoNewPrivileges: noNew === "1" };
}

function parseNumbers(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.every((word) => /^[0-9]+$/.test(word)) ? words.map(Number) : undefined;
}

function parseMask(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-f]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

const TASKS = "/proc/self/task";
// A process in a thousand groups has a line of some 10,000 characters.
const MAX_STATUS_BYTES = 1024 * 1024;

/**
 * The status files of all threads, opened while /proc can still be seen. An open one tells what is true whenever it is
 * read. To be closed by who opened it.
 */
export class ThreadStatusFiles {
  readonly #descriptors = new Map<string, number>();

  /** Without /proc there are none. */
  constructor() {
    this.#openNew();
  }

  /** Of all threads that run now, also those started since; without /proc only of those that were known before. */
  read(): readonly ThreadStatus[] {
    this.#openNew();
    return [...this.#descriptors].flatMap(([thread, descriptor]) => {
      const text = readStatus(descriptor);
      if (text === undefined) return [];
      const status = parseThreadStatus(text);
      if (status === undefined) throw new Error(`the status of thread ${thread} cannot be read`);
      return [status];
    });
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  #openNew(): void {
    for (const thread of listThreads()) {
      if (this.#descriptors.has(thread)) continue;
      try {
        this.#descriptors.set(thread, openSync(`${TASKS}/${thread}/status`, "r"));
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

function listThreads(): readonly string[] {
  try {
    return readdirSync(TASKS);
  } catch {
    return [];
  }
}

/** @returns undefined when the thread has ended */
function readStatus(descriptor: number): string | undefined {
  const piece = Buffer.alloc(4096);
  let text = "";
  try {
    while (text.length < MAX_STATUS_BYTES) {
      const count = readSync(descriptor, piece, 0, piece.length, text.length);
      if (count === 0) break;
      text += piece.toString("latin1", 0, count);
    }
  } catch {
    // ESRCH
    return undefined;
  }
  return text === "" ? undefined : text;
}
