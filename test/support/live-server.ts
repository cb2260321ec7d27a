/**
 * A whole server in the foreground, with its PID file, its logs and its configuration in a directory of its own: for tests
 * that send signals and look at its processes.
 */
import { readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { type AbsolutePath, absolutePath } from "../../src/base/absolute-path.ts";
import { readState, type ServerState } from "../../src/control/state-file.ts";
import { ComancheCommand, type CommandEnd } from "./comanche-command.ts";
import { type Entry, makeTree } from "./file-tree.ts";
import { childrenOf, isRunning } from "./process-facts.ts";
import { until } from "./until.ts";

export interface LiveOptions {
  /** Below its directory; the docbase is `htdocs`. */
  readonly files?: Readonly<Record<string, Entry>>;
  readonly flags?: readonly string[];
  /** Of its configuration file's main section, beside where everything is. */
  readonly configuration?: MainSection;
  readonly environment?: Readonly<Record<string, string>>;
  /** Of an ordinary user, where the tests run as root. */
  readonly userId?: number | undefined;
  /** Called with its directory before it starts. */
  readonly prepare?: (top: AbsolutePath) => void;
}

/** In its configuration file, so that a reload may change it. */
const PLACE = { port: "0", pidfile: "pid", logfile: "access", errorlog: "errors" };

type MainSection = Readonly<Record<string, string>>;

/** @param rest  what follows the main section */
export function formatConfiguration(options: MainSection, rest = ""): string {
  const pairs = Object.entries({ ...PLACE, ...options }).map(([key, value]) => `${key} = ${value}\n`);
  return `[main]\n${pairs.join("")}${rest}`;
}

export class LiveServer {
  readonly top: AbsolutePath;
  readonly command: ComancheCommand;
  readonly port: number;

  private constructor(top: AbsolutePath, command: ComancheCommand, port: number) {
    this.top = top;
    this.command = command;
    this.port = port;
  }

  /** @param options  without `files` there is one file, `small.txt` */
  static start(t: TestContext, options: LiveOptions = {}): Promise<LiveServer> {
    const { files = { "htdocs/small.txt": "small" }, configuration = {} } = options;
    const top = makeTree(t, { ...files, "comanche.conf": formatConfiguration(configuration) });
    options.prepare?.(top);
    return LiveServer.startIn(t, top, options);
  }

  /** In a directory that is there. @throws when it does not serve */
  static async startIn(t: TestContext, top: AbsolutePath, options: LiveOptions = {}): Promise<LiveServer> {
    const { flags = [], environment = {}, userId } = options;
    const command = new ComancheCommand(["-d", "-c", "comanche.conf", ...flags], {
      cwd: top,
      environment,
      ...(userId === undefined ? {} : { userId }),
    });
    let workers: readonly number[] = [];
    t.after(async () => {
      if (isRunning(command.pid)) workers = childrenOf(command.pid);
      await command.kill();
      for (const pid of workers) endProcess(pid);
    });
    return new LiveServer(top, command, await command.port());
  }

  get pid(): number {
    return this.command.pid;
  }

  get state(): ServerState {
    const state = readState(absolutePath(`${this.top}/pid`));
    if (state === undefined) throw new Error("there is no state file");
    return state;
  }

  /** The error log. */
  get events(): string {
    return readFileSync(`${this.top}/errors`, "utf8");
  }

  /** The worker processes that the kernel knows. */
  get workers(): readonly number[] {
    return childrenOf(this.pid);
  }

  /** Replaces the configuration at once, as a careful editor does. */
  configure(options: MainSection, rest?: string): void {
    writeFileSync(`${this.top}/comanche.conf.new`, formatConfiguration(options, rest));
    renameSync(`${this.top}/comanche.conf.new`, `${this.top}/comanche.conf`);
  }

  /** A file of zeros that takes no room on the disk. */
  makeLarge(name: string, size: number): void {
    writeFileSync(`${this.top}/htdocs/${name}`, "");
    truncateSync(`${this.top}/htdocs/${name}`, size);
  }

  /** One of the commands that speak to a running server. */
  run(t: TestContext, name: string): Promise<CommandEnd> {
    const command = new ComancheCommand([name, "--pidfile", "pid"], { cwd: this.top });
    t.after(() => command.kill());
    return command.end;
  }

  /** As many workers as there should be accept connections, and no other is left. */
  async settled(count: number): Promise<readonly number[]> {
    return until(
      `there are ${count} workers`,
      () => {
        const { workers } = this;
        return workers.length === count && workers.every(isRunning) && workers;
      },
      { facts: () => `there are ${this.workers.join(", ")}; the error log: ${this.events.slice(-2000)}` },
    );
  }

  /** Stops it with TERM. */
  async stop(): Promise<CommandEnd> {
    this.command.signal("SIGTERM");
    return this.command.end;
  }
}

/** Ends a process that may be no child of ours, by its number. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}
