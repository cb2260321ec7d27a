/**
 * Notifies a service manager (sd_notify(3)): ready, reloading, stopping, alive.
 *
 * The manager names a Unix socket in NOTIFY_SOCKET. Without it every method does nothing. With it the manager waits and
 * kills a service that stays silent, so a server that cannot notify does not start.
 *
 *     start     READY=1 MAINPID= STATUS=
 *     reload    RELOADING=1 MONOTONIC_USEC=, then READY=1 STATUS= whether it succeeded or not
 *     stop      STOPPING=1 STATUS=
 *     watchdog  WATCHDOG=1 at half of WATCHDOG_USEC, from a timer: an event loop that hangs sends none
 *
 * A busy manager is retried; one that has gone is no reason to stop serving.
 */
import { errorCode, StartupError } from "../base/errors.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { disarmControls } from "../observe/escape.ts";
import type { NativeResult } from "../system/native.ts";

/** The environment of this process; variables are removed so that no other process inherits them. */
export type OwnEnvironment = Record<string, string | undefined>;

/** `status` is one line that `systemctl status` shows. */
export interface ServiceNotifier {
  /** Call it once, when the server listens. Starts the watchdog pings. */
  ready(status: string): void;
  reloading(): void;
  /** The reload is over; `status` says whether the new or the old configuration serves. */
  reloaded(status: string): void;
  stopping(status: string): void;
  status(text: string): void;
  /** Stops the watchdog timer. */
  close(): void;
}

export type NotifySpec =
  | { readonly kind: "none" }
  | {
      readonly kind: "service";
      /** As `Native.sendDatagram` takes it. */
      readonly address: string;
      /** Undefined without a watchdog, or when it watches another process. */
      readonly pingInterval: Milliseconds | undefined;
    };

/**
 * @param environment  loses the manager's variables
 * @param onTrouble  gets a sentence when notifying fails; once, until it works again
 * @throws StartupError when a manager waits and cannot be notified
 */
export function openServiceNotifier(
  environment: OwnEnvironment,
  native: NativeResult,
  onTrouble: (text: string) => void,
): ServiceNotifier {
  const variables = takeVariables(environment, ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]);
  const spec = parseNotifySpec(variables, process.pid);
  if (spec.kind === "none") return SILENT;
  if (native.kind === "missing") {
    throw new StartupError(
      `NOTIFY_SOCKET is set, but the server cannot notify the service manager: ${native.why} (use Type=exec in the unit instead of Type=notify, and no WatchdogSec=)`,
    );
  }
  const send = (text: string): void => native.native.sendDatagram(spec.address, text);
  return new ServiceMessages(send, spec.pingInterval, onTrouble);
}

/** Removes these variables and returns their values. */
export function takeVariables(environment: OwnEnvironment, names: readonly string[]): OwnEnvironment {
  const taken = Object.fromEntries(names.map((name) => [name, environment[name]]));
  for (const name of names) delete environment[name];
  return taken;
}

/** @param pid  our own, compared with WATCHDOG_PID. @throws StartupError for values that no manager writes */
export function parseNotifySpec(variables: Readonly<OwnEnvironment>, pid: number): NotifySpec {
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: time, WATCHDOG_PID: watched } = variables;
  if (!address) return { kind: "none" };
  if (!/^[/@]./.test(address) || Buffer.byteLength(address) > MAX_ADDRESS_BYTES) {
    throw new StartupError(
      `NOTIFY_SOCKET = ${disarmControls(address)}: expected an absolute path, or a name that begins with @, of at most ${MAX_ADDRESS_BYTES} bytes`,
    );
  }
  const isOurs = !watched || watched === String(pid);
  return { kind: "service", address, pingInterval: time && isOurs ? parsePingInterval(time) : undefined };
}

function parsePingInterval(text: string): Milliseconds {
  const microseconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (microseconds === 0) {
    throw new StartupError(`WATCHDOG_USEC = ${disarmControls(text)}: expected a whole number of microseconds above 0`);
  }
  return milliseconds(Math.min(Math.max(Math.floor(microseconds / 2000), 1), MAX_TIMER_MS));
}

// sun_path of unix(7) has 108 bytes, and a path ends with a NUL.
const MAX_ADDRESS_BYTES = 107;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** MAINPID, because the manager may know another PID, such as that of a shell. */
export function formatReady(pid: number, status: string): string {
  return `READY=1\nMAINPID=${pid}\n${formatStatus(status)}`;
}

/** @param monotonic  CLOCK_MONOTONIC in nanoseconds: it tells the manager which reload is meant */
export function formatReloading(monotonic: bigint): string {
  return `RELOADING=1\nMONOTONIC_USEC=${monotonic / 1000n}`;
}

export function formatReloaded(status: string): string {
  return `READY=1\n${formatStatus(status)}`;
}

export function formatStopping(status: string): string {
  return `STOPPING=1\n${formatStatus(status)}`;
}

/** Always one line: a line feed would begin another variable. */
export function formatStatus(text: string): string {
  return `STATUS=${disarmControls(text.trim().replaceAll(/\s*\n\s*/g, "; "))}`;
}

const WATCHDOG_PING = "WATCHDOG=1";

const SILENT: ServiceNotifier = {
  ready: () => undefined,
  reloading: () => undefined,
  reloaded: () => undefined,
  stopping: () => undefined,
  status: () => undefined,
  close: () => undefined,
};

const RETRY_MS = 50;
const MAX_WAITING = 64;

/** Sends in order. When the manager's socket is full, messages wait here, except pings: the next ping will do. */
export class ServiceMessages implements ServiceNotifier {
  readonly #send: (text: string) => void;
  readonly #pingInterval: Milliseconds | undefined;
  readonly #onTrouble: (text: string) => void;
  #waiting: readonly string[] = [];
  #isTroubled = false;
  #pings: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** @param send  throws an error with code EAGAIN when there is no room */
  constructor(send: (text: string) => void, pingInterval: Milliseconds | undefined, onTrouble: (text: string) => void) {
    this.#send = send;
    this.#pingInterval = pingInterval;
    this.#onTrouble = onTrouble;
  }

  ready(status: string): void {
    this.#tell(formatReady(process.pid, status));
    if (this.#pingInterval === undefined) return;
    this.#ping();
    this.#pings = setInterval(() => this.#ping(), this.#pingInterval).unref();
  }

  reloading(): void {
    this.#tell(formatReloading(process.hrtime.bigint()));
  }

  reloaded(status: string): void {
    this.#tell(formatReloaded(status));
  }

  stopping(status: string): void {
    this.#tell(formatStopping(status));
  }

  status(text: string): void {
    this.#tell(formatStatus(text));
  }

  close(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#retry);
  }

  #ping(): void {
    if (this.#waiting.length === 0) this.#deliver(WATCHDOG_PING);
  }

  #tell(message: string): void {
    if (this.#waiting.length > 0) this.#keep([...this.#waiting, message]);
    else if (this.#deliver(message) === "no-room") this.#keep([message]);
  }

  #keep(waiting: readonly string[]): void {
    this.#waiting = waiting.slice(-MAX_WAITING);
    this.#retry ??= setTimeout(() => this.#tryAgain(), RETRY_MS).unref();
  }

  #tryAgain(): void {
    this.#retry = undefined;
    let done = 0;
    for (const message of this.#waiting) {
      if (this.#deliver(message) === "no-room") break;
      done++;
    }
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#keep(this.#waiting);
  }

  #deliver(message: string): "sent" | "no-room" | "lost" {
    try {
      this.#send(message);
    } catch (error) {
      if (errorCode(error) === "EAGAIN") return "no-room";
      if (!this.#isTroubled) this.#onTrouble(`cannot notify the service manager: ${String(error)}`);
      this.#isTroubled = true;
      return "lost";
    }
    this.#isTroubled = false;
    return "sent";
  }
}
