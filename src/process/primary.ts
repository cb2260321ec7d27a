/**
 * The life of a server: opens its logs, takes its PID file, listens, waits for a signal, drains, and cleans up.
 */
import { networkInterfaces } from "node:os";
import { StartupError } from "../base/errors.ts";
import type { Milliseconds } from "../base/units.ts";
import { isBuiltIn, type Settings } from "../config/settings.ts";
import { AccessLog } from "../observe/access-log.ts";
import { decideConsoleLevel, EventLog, type EventSink } from "../observe/log.ts";
import { logFile } from "../observe/log-file.ts";
import { formatPoolStatus, isStatusNews, type PoolState } from "../tasks/pool-status.ts";
import type { Lifeline } from "./lifeline.ts";
import { type OpenedLog, openLog, planAccessLog, planErrorLog } from "./log-destination.ts";
import { acquirePidFile, type PidFile, pidFilePlaces } from "./pid-file.ts";
import { urlsFor } from "./urls.ts";
import { stateDirectory, type UserFacts } from "./user-directories.ts";
import { startWorker, type Worker, type WorkerLogs } from "./worker.ts";

export interface PrimaryOptions {
  readonly settings: Settings;
  readonly user: UserFacts;
  readonly version: string;
  readonly lifeline: Lifeline;
  /** Why it stays in the foreground although a daemon is the default; undefined where there is nothing to say. */
  readonly foregroundReason: string | undefined;
}

/** 0: stopped, and everything that was under way was finished; 3: transfers were cut at the end of the grace period. */
export type ServeStatus = 0 | 3;

/**
 * Serves until a signal stops it.
 *
 * @throws StartupError when it cannot start; nothing is left behind then
 */
export async function runPrimary(options: PrimaryOptions): Promise<ServeStatus> {
  const { settings, user, lifeline } = options;
  const { isDaemon } = lifeline;
  const { accessLog, errorLog } = openLogs(options);
  const events = new EventLog(chooseSinks(options, errorLog));
  const logs: WorkerLogs = {
    events,
    access: new AccessLog(logFile(accessLog.descriptor, accessLog.name), events),
  };
  // Before anybody can know the PID: without a handler a signal would end the process with nothing cleaned up.
  const stopSignal = nextStopSignal(isDaemon, events);
  disarmUserSignal(events);
  const status = new StatusLines(events);
  const pidFile = takePidFile(settings, isDaemon, user);
  try {
    const worker = await Promise.race([startWorker(settings, logs), stopSignal.then(failStart)]);
    const notices = [options.foregroundReason, accessLog.notice, errorLog.notice];
    const lines = describeStart(options, worker, accessLog, notices);
    for (const line of lines) events.info(line);
    if (user.isRoot) events.warn(ROOT_WARNING);
    status.watch(worker, isDaemon ? 0 : settings.server.statusInterval);
    watchForFaults(events);
    if (isDaemon) await lifeline.reportReady(user.isRoot ? [...lines, ROOT_WARNING] : lines, errorLog.path);
    return await serveUntilStopped(worker, await stopSignal, settings.server.grace, events);
  } finally {
    status.close();
    await logs.access.close();
    pidFile?.release();
  }
}

function openLogs({ settings, lifeline, user }: PrimaryOptions): { accessLog: OpenedLog; errorLog: OpenedLog } {
  const around = { isDaemon: lifeline.isDaemon, stateDirectory: stateDirectory(user) };
  const { logfile, errorlog } = settings.server;
  const accessWish = { target: logfile, isSet: !isBuiltIn(settings, "logfile") };
  const accessLog = openLog("access log", planAccessLog(accessWish, around));
  const errorWish = { target: errorlog, isSet: !isBuiltIn(settings, "errorlog") };
  const errorLog = openLog("error log", planErrorLog(errorWish, accessLog.path, around));
  return { accessLog, errorLog };
}

/** A daemon has no console; in the foreground the console speaks beside an error log that is a file. */
function chooseSinks({ settings, lifeline }: PrimaryOptions, errorLog: OpenedLog): readonly EventSink[] {
  const { logLevel, quiet } = settings.server;
  const console: EventSink = { descriptor: 2, level: decideConsoleLevel(logLevel, quiet) };
  if (errorLog.path === undefined) return [console];
  const file: EventSink = { descriptor: errorLog.descriptor, level: logLevel };
  return lifeline.isDaemon ? [file] : [console, file];
}

/** In the foreground several servers may run side by side, so there the file is taken only when it is asked for. */
function takePidFile(settings: Settings, isDaemon: boolean, user: UserFacts): PidFile | undefined {
  const { pidfile } = settings.server;
  return isDaemon || pidfile !== undefined ? acquirePidFile(pidFilePlaces(pidfile, user)) : undefined;
}

function describeStart(
  { settings, version }: PrimaryOptions,
  worker: Worker,
  accessLog: OpenedLog,
  notices: readonly (string | undefined)[],
): readonly string[] {
  const urls = urlsFor(worker.endpoints, networkInterfaces());
  return [
    `Comanche ${version} serves ${settings.main.docbase} at ${urls.join(" ")}`,
    `PID ${process.pid}, access log ${accessLog.name}, configuration ${settings.configFile ?? "none"}`,
    ...(settings.main.upload === undefined
      ? []
      : [`takes JSON uploads at ${settings.main.upload} (upload = no: none)`]),
    ...notices.filter((notice) => notice !== undefined),
  ];
}

const ROOT_WARNING = "running as root; start it as an ordinary user where a port above 1023 will do";

type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP";

async function serveUntilStopped(
  worker: Worker,
  signal: StopSignal,
  grace: Milliseconds,
  events: EventLog,
): Promise<ServeStatus> {
  events.info(`${signal}: stopping, at most ${grace / 1000} s for what is under way`);
  const cut = (): void => {
    events.info("SIGINT again: stopping at once");
    worker.cut();
  };
  process.on("SIGINT", cut);
  const outcome = await worker.drain(grace);
  process.off("SIGINT", cut);
  if (outcome.kind === "finished") {
    events.info("stopped");
    return 0;
  }
  events.warn(`stopped; connections cut while busy: ${outcome.cut}`);
  return 3;
}

/** The handlers stay: a second signal of a kind must not end the process by its default action. */
function nextStopSignal(isDaemon: boolean, events: EventLog): Promise<StopSignal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => resolve(signal));
    // In the foreground the terminal has gone. A daemon has none, so somebody asks it to reload.
    process.on("SIGHUP", () => {
      if (!isDaemon) resolve("SIGHUP");
      else events.warn("SIGHUP: the configuration is read at start only; restart the server to change it");
    });
  });
}

/** Left alone, USR1 makes Node open a port for debuggers. */
function disarmUserSignal(events: EventLog): void {
  process.on("SIGUSR1", () => events.warn("SIGUSR1: ignored, it has no meaning here"));
}

/** Tells how busy the threads are: whenever SIGUSR2 asks, and from time to time while they are. */
class StatusLines {
  readonly #events: EventLog;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #printed: PoolState | undefined;

  /** From here on SIGUSR2 does not end the process. */
  constructor(events: EventLog) {
    this.#events = events;
    process.on("SIGUSR2", () => {
      if (this.#worker === undefined) events.info("SIGUSR2: not serving yet");
      else this.#print(this.#worker.poolState);
    });
  }

  /** @param interval  zero: only when asked */
  watch(worker: Worker, interval: number): void {
    this.#worker = worker;
    if (interval === 0) return;
    this.#timer = setInterval(() => {
      const state = worker.poolState;
      if (isStatusNews(state, this.#printed)) this.#print(state);
    }, interval).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #print(state: PoolState): void {
    this.#events.info(formatPoolStatus(state));
    this.#printed = state;
  }
}

function failStart(signal: StopSignal): never {
  throw new StartupError(`${signal}: stopped before it was listening`);
}

/** Faults that belong to no connection. After an exception nobody knows what still holds, so that ends the server. */
function watchForFaults(events: EventLog): void {
  process.on("unhandledRejection", (fault) => events.error("a fault of the server was not handled", fault));
  process.on("uncaughtException", (fault) => {
    events.error("stopping after a fault of the server", fault);
    process.exit(1);
  });
}
