/**
 * A confined process and the probe in it: what the probe found it could do, and what the system says of the process.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseThreadStatus, type ThreadStatus } from "../../src/system/thread-status.ts";
import { scriptPath } from "./child-script.ts";
import type { ChildOrder } from "./confinement-child.ts";
import type { Attempts } from "./confinement-probe.ts";
import { type ProbeOrder, type ProbeReport, REPORT_MARK } from "./confinement-probe.ts";

/** For the environment of a process whose every thread is to load the probe, also of a real server. SIGWINCH sets it off. */
export function probeEnvironment(order: ProbeOrder): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${fileURLToPath(new URL("./confinement-probe.js", import.meta.url))}`,
    CONFINEMENT_PROBE: JSON.stringify(order),
  };
}

/** The report in a line of standard error, which may have something before it; undefined in another line. */
export function parseProbeLine(line: string): ProbeReport | undefined {
  const start = line.indexOf(REPORT_MARK);
  return start === -1 ? undefined : (JSON.parse(line.slice(start + REPORT_MARK.length)) as ProbeReport);
}

/** Of every thread of a process. */
export function threadStatuses(pid: number): readonly ThreadStatus[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = parseThreadStatus(readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1"));
    if (status === undefined) throw new Error(`the status of thread ${thread} cannot be read`);
    return status;
  });
}

/** Where the open descriptors of a process lead: paths, or such as `socket:[123]`. */
export function openPlaces(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}

/** A process of `confinement-child`. */
export class ConfinedProcess {
  readonly pid: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #errors: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, pid: number) {
    this.#child = child;
    this.pid = pid;
    this.#errors = createInterface(child.stderr)[Symbol.asyncIterator]();
  }

  /**
   * Resolves when it is confined. To be stopped by who started it.
   *
   * @param launcher  a command that executes the one that follows it, such as setpriv(1); none where it is empty
   */
  static async start(order: ChildOrder, probe: ProbeOrder, launcher: readonly string[]): Promise<ConfinedProcess> {
    const [program = "", ...args] = [...launcher, process.execPath, scriptPath("confinement-child")];
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...probeEnvironment(probe), CONFINEMENT_CHILD: JSON.stringify(order) },
    });
    if (child.pid === undefined) throw new Error("the child did not start");
    const started = new ConfinedProcess(child, child.pid);
    const [first] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    if (String(first) !== "ready\n") throw new Error(`the child ended: ${await started.#allErrors()}`);
    return started;
  }

  async probe(): Promise<ProbeReport> {
    this.#child.kill("SIGWINCH");
    for (let line = await this.#errors.next(); !line.done; line = await this.#errors.next()) {
      const report = parseProbeLine(line.value);
      if (report !== undefined) return report;
    }
    throw new Error("the child ended without a report");
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin.end();
    await ended;
  }

  async #allErrors(): Promise<string> {
    const lines: string[] = [];
    for (let line = await this.#errors.next(); !line.done; line = await this.#errors.next()) lines.push(line.value);
    return lines.join("\n");
  }
}

/** What a confined process may do, and what comes of the rest. */
export const ALLOWED: Attempts = { "read what is served": "done", "store an upload": "done" };
export const REFUSED: Attempts = {
  "read a secret": "EACCES",
  "climb to a secret": "EACCES",
  "list the root": "EACCES",
  "write a file": "EACCES",
  "truncate a file": "EACCES",
  "make a folder": "EACCES",
  "bind a port": "EACCES",
  "connect to a port": "EACCES",
  "signal a process": "EPERM",
  "execute a program": "EACCES",
};
/** In a chroot what lies outside is not even there; all that is there is what the folder holds. */
export const UNSEEN: Attempts = {
  ...REFUSED,
  "read a secret": "ENOENT",
  "climb to a secret": "ENOENT",
  "list the root": "done",
  "write a file": "ENOENT",
  "truncate a file": "ENOENT",
  "make a folder": "ENOENT",
  "execute a program": "ENOENT",
};
