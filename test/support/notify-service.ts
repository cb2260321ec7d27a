/**
 * A service manager for tests: starts a program as systemd does, with sockets it has opened, and hears what the
 * program tells about itself.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datagram, type NotifySocket, openNotifySocket } from "./notify-socket.ts";

const PATIENCE_MS = 60_000;

export interface ServiceOptions {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly environment?: NodeJS.ProcessEnv;
  /** In microseconds. */
  readonly watchdog?: number;
  /** They become the descriptors from 3 on; LISTEN_FDS is set when there are any. */
  readonly sockets?: readonly ServiceSocket[];
}

/** A socket that listens on a free port of 127.0.0.1 before the program runs. */
export interface ServiceSocket {
  readonly name: string;
  readonly port: number;
  readonly server: Server;
}

interface ServiceEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type ManagedResult =
  | { readonly kind: "started"; readonly service: ManagedService }
  /** `why`: the reason for a skip. */
  | { readonly kind: "missing"; readonly why: string };

export async function openServiceSocket(name: string): Promise<ServiceSocket> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP socket without a port");
  return { name, port: address.port, server };
}

export async function startService(options: ServiceOptions): Promise<ManagedResult> {
  const directory = mkdtempSync(join(tmpdir(), "comanche-notify-"));
  const opened = await openNotifySocket(join(directory, "notify"));
  if (opened.kind === "missing") {
    rmSync(directory, { recursive: true });
    for (const { server } of options.sockets ?? []) server.close();
    return opened;
  }
  return { kind: "started", service: new ManagedService(options, opened.socket, directory) };
}

class ManagedService {
  readonly pid: number;
  readonly notifySocket: NotifySocket;
  readonly #child: ChildProcess;
  readonly #end: Promise<ServiceEnd>;
  #output = "";

  constructor(options: ServiceOptions, socket: NotifySocket, directory: string) {
    const sockets = options.sockets ?? [];
    this.notifySocket = socket;
    this.#child = spawn("/bin/sh", ["-c", START_IN_PLACE, ...options.command], {
      stdio: ["ignore", "pipe", "pipe", ...sockets.map(descriptorOf)],
      env: {
        ...process.env,
        NOTIFY_SOCKET: socket.address,
        ...(options.watchdog === undefined ? {} : { WATCHDOG_USEC: String(options.watchdog) }),
        ...(sockets.length === 0
          ? {}
          : { LISTEN_FDS: String(sockets.length), LISTEN_FDNAMES: sockets.map(({ name }) => name).join(":") }),
        ...options.environment,
      },
    });
    // The program has them now. Left open here, this process would accept its connections.
    for (const { server } of sockets) server.close();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    const abandon = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", abandon);
    this.#end = new Promise((resolve) => {
      this.#child.once("close", (status, signal) => {
        process.off("exit", abandon);
        void socket.close().then(() => {
          rmSync(directory, { recursive: true, force: true });
          resolve({ status, signal });
        });
      });
    });
    if (this.#child.pid === undefined) throw new Error("the program did not start");
    this.pid = this.#child.pid;
  }

  /** What it has printed so far, both streams in order of arrival; complete after `waitForEnd`. */
  get output(): string {
    return this.#output;
  }

  /** All messages so far, each as its variables. */
  get messages(): readonly ServiceMessage[] {
    return this.notifySocket.received.map(parseMessage);
  }

  /**
   * The first message that has this variable, such as `READY`, which may have come already.
   *
   * @param after  leaves out that many messages that came before
   * @throws when none comes in time: with all that came, and what the program printed
   */
  async waitFor(variable: string, after = 0): Promise<ServiceMessage> {
    const isWanted = (text: string): boolean => text.split("\n").some((line) => line.startsWith(`${variable}=`));
    const ended = this.#end.then(() => {
      throw new Error(`it ended without ${variable}; it printed: ${this.#output}`);
    });
    ended.catch(() => undefined);
    return parseMessage(await Promise.race([this.notifySocket.waitFor(isWanted, after), ended]));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** How it ended. One that does not end in time is killed, and says so by its signal. */
  async waitForEnd(): Promise<ServiceEnd> {
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    const end = await this.#end;
    clearTimeout(patience);
    return end;
  }

  /** Ends it whatever it is doing. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end;
  }
}

/** Node has no public name for it. */
function descriptorOf({ server }: ServiceSocket): number {
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } };
  return handle.fd;
}

/** The variables of a message, and who sent it. systemd listens to the main process alone (NotifyAccess=main). */
interface ServiceMessage {
  readonly pid: number;
  readonly variables: Readonly<Record<string, string>>;
}

function parseMessage({ text, pid }: Datagram): ServiceMessage {
  const pairs = text.split("\n").map((line) => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)] as const;
  });
  return { pid, variables: Object.fromEntries(pairs) };
}

// Nobody but the process itself knows its number before it runs.
const START_IN_PLACE =
  'if [ -n "$LISTEN_FDS" ]; then LISTEN_PID=$$; export LISTEN_PID; fi; if [ -n "$WATCHDOG_USEC" ]; then WATCHDOG_PID=$$; export WATCHDOG_PID; fi; exec "$0" "$@"';
