/**
 * Whether the process that a PID file names is the server that wrote it. PIDs are reused: after a crash the file may name
 * any program, and a signal to that would end a stranger. So only a proven server is signalled.
 *
 * The proof is the state file beside the PID file: the server wrote the boot and its own start time there. A server
 * without that (an older version, or a full disk) counts if it has our title and is not younger than the file. A file
 * proves nothing about processes of other users than its owner, unless that is root.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { PidEntry } from "./pid-file-content.ts";
import { identifyProcess, inspectProcess, type ProcessState } from "./process-info.ts";
import { readStateOf } from "./state-file.ts";

export type Holder =
  | { readonly kind: "server"; readonly pid: number }
  /** There is no such process. */
  | { readonly kind: "gone"; readonly pid: number }
  /** Another program has the PID now. `command`: what ps(1) calls it. */
  | { readonly kind: "stranger"; readonly pid: number; readonly command: string }
  /** It may be the server: nothing proves or disproves it. */
  | { readonly kind: "unproven"; readonly pid: number; readonly command: string };

/** What the state file says: this process wrote it, another one did, or nothing. */
export type Proof = "same" | "other" | "none";

/** The process that asks. */
export interface Asker {
  readonly pid: number;
  readonly command: string | undefined;
}

/** @param path  of the PID file */
export function findHolder(content: PidEntry, path: AbsolutePath): Holder {
  const { pid } = content;
  const look = inspectProcess(pid);
  const kind = judgeHolder(content, look, readProof(pid, path), lookAtSelf());
  if (kind === "server" || kind === "gone") return { kind, pid };
  return { kind, pid, command: (look.kind === "alive" ? look.info?.command : undefined) ?? "name unknown" };
}

export function judgeHolder(
  file: Pick<PidEntry, "pid" | "writtenAt" | "owner">,
  look: ProcessState,
  proof: Proof,
  asker: Asker,
): Holder["kind"] {
  // An earlier process left the asker's own PID: they repeat in containers.
  if (look.kind === "gone" || file.pid === asker.pid) return "gone";
  if (proof === "other") return "stranger";
  if (look.info === undefined) return "unproven";
  const { command, startedAt, user } = look.info;
  if (file.owner !== ROOT && file.owner !== user) return "unproven";
  if (proof === "same") return "server";
  const hasTitle = command.startsWith(TITLE);
  if (startedAt <= file.writtenAt + START_TOLERANCE_MS) return hasTitle ? "server" : "unproven";
  // Once a clock without battery is set, every process seems younger than its files.
  return hasTitle || command === asker.command ? "unproven" : "stranger";
}

const ROOT = 0;
const TITLE = "comanche";
// /proc counts from a boot time in whole seconds.
const START_TOLERANCE_MS = 2000;

function readProof(pid: number, path: AbsolutePath): Proof {
  const written = readStateOf(pid, path)?.process;
  const found = identifyProcess(pid);
  if (written === undefined || found === undefined) return "none";
  return written === found ? "same" : "other";
}

function lookAtSelf(): Asker {
  const look = inspectProcess(process.pid);
  return { pid: process.pid, command: look.kind === "alive" ? look.info?.command : undefined };
}
