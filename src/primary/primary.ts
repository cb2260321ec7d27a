/**
 * The primary process opens logs and sockets, takes the PID file, keeps worker processes and handles signals. It reads
 * nothing from the network.
 *
 *     TERM, INT, QUIT   stop: drain for at most `grace`; a second INT stops at once
 *     HUP               reload: a new generation of workers takes over, or nothing changes and the log says why;
 *                       stop when a foreground server has lost its terminal
 *     USR1              reopen the logs
 *     USR2              log the status
 */
import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { systemClock } from "../base/clock.ts";
import { StartupError } from "../base/errors.ts";
import { unixMilliseconds } from "../base/units.ts";
import { type Fault, formatFault } from "../config/fault.ts";
import type { Settings, SettingsResult } from "../config/settings.ts";
import { acquirePidFile, type PidFile, pidFilePaths } from "../control/pid-file.ts";
import { identifyProcess } from "../control/process-info.ts";
import type { StartReporter } from "../control/start-reporter.ts";
import { type ReloadState, type ServerPhase, StateFile } from "../control/state-file.ts";
import { serviceDirectory, type UserFacts } from "../control/user-directories.ts";
import { localZoneWarning } from "../observe/local-zone.ts";
import type { Events } from "../observe/log.ts";
import { describeThrown } from "../observe/thrown.ts";
import { FormerPlaces } from "../system/former-places.ts";
import { loadNative } from "../system/native.ts";
import { lookAtPlaces } from "../system/sandbox.ts";
import { formatPoolStatus } from "../tasks/overload.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import { tlsSpecs } from "../tls/tls-specs.ts";
import { formatTlsStatus, sumTls } from "../tls/tls-status.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import type { DrainMode } from "../worker/messages.ts";
import { type ActiveConfig, activate, confineAgain, type ServerContext } from "./active-config.ts";
import { describeStart } from "./announce.ts";
import { BackendWatch } from "./backends.ts";
import type { Generation } from "./generation.ts";
import type { LogBook } from "./log-book.ts";
import { watchForOrphans } from "./orphans.ts";
import {
  describeRenewal,
  describeUnreached,
  listSome,
  type RenewalOutcome,
  SandboxRenewal,
} from "./sandbox-renewal.ts";
import { openServiceNotifier, type ServiceNotifier } from "./service-notify.ts";
import { type SignalName, Signals } from "./signals.ts";
import { takeActivatedSockets } from "./socket-activation.ts";
import { Sockets } from "./sockets.ts";
import { describeReports, formatTunnels, StatusLines, sumPools, sumTunnels } from "./status.ts";
import { TicketKeys } from "./ticket-keys.ts";
import { TlsWatch } from "./tls-watch.ts";

export interface PrimaryOptions {
  readonly settings: Settings;
  /** Reads the configuration again, with the same command line. */
  readonly load: () => SettingsResult;
  readonly user: UserFacts;
  readonly version: string;
  readonly startReporter: StartReporter;
  /** A daemon has a PID file although the settings name none, and so has a unit with a runtime directory. */
  readonly hasUsualPidFile: boolean;
  /** More lines for the operator. */
  readonly notices: readonly string[];
}

/** 0: stopped, everything finished; 3: connections were cut at the end of the grace period. */
export type ServeStatus = 0 | 3;

/** Outdated generations that may drain without a time limit. */
const MAX_OUTDATED = 8;
/** Between two looks at the places that workers report. */
const LOOK_INTERVAL_MS = 50;
/** How long a start may still take after a stop signal. */
const CANCEL_TIMEOUT_MS = 2000;

/** Serves until a signal stops it. @throws StartupError when it cannot start; nothing is left behind then */
export async function runPrimary(options: PrimaryOptions): Promise<ServeStatus> {
  // Before the PID is known to others: without a handler a signal would end the process with nothing cleaned up.
  const signals = new Signals();
  const native = await loadNative();
  const activated = takeActivatedSockets(process.env, process.pid);
  let report = (text: string): void => void process.stderr.write(`${text}\n`);
  const notifier = openServiceNotifier(process.env, native, (text) => report(text));
  const primary = new Primary(options, signals, notifier, {
    sockets: new Sockets(activated),
    user: options.user,
    isDaemon: options.startReporter.isDaemon,
    cores: availableParallelism(),
    native,
    tickets: new TicketKeys(() => performance.now()),
    formerPlaces: new FormerPlaces(),
  });
  report = (text) => primary.warn(text);
  return primary.run();
}

class Primary {
  readonly #options: PrimaryOptions;
  readonly #signals: Signals;
  readonly #notifier: ServiceNotifier;
  readonly #context: ServerContext;
  readonly #startedAt = unixMilliseconds(Date.now());
  readonly #identity = identifyProcess(process.pid);
  readonly #status = new StatusLines();
  #active: ActiveConfig | undefined;
  /** They watch certificates and backends of the active configuration. */
  #watches: { close(): void }[] = [];
  /** Those with living processes. */
  readonly #generations = new Set<Generation>();
  /** Those that drain because a document root has moved, the oldest first. */
  readonly #outdated = new Set<Generation>();
  #pidFile: PidFile | undefined;
  #stateFile: StateFile | undefined;
  #phase: ServerPhase = "starting";
  #hangups = 0;
  #reloadState: ReloadState | undefined;
  /** At most one reload runs. */
  #reloading: Promise<void> | undefined;
  #nextLook = 0;
  #lastUnreached = "";
  /** Settles when the active configuration may be replaced. */
  #lastChange: Promise<unknown> = Promise.resolve();
  readonly #renewal = new SandboxRenewal({ renew: (reported) => this.#confineAgain(reported), clock: systemClock });

  constructor(options: PrimaryOptions, signals: Signals, notifier: ServiceNotifier, context: ServerContext) {
    this.#options = options;
    this.#signals = signals;
    this.#notifier = notifier;
    this.#context = context;
  }

  warn(text: string): void {
    this.#active?.logs.events.warn(text);
  }

  async run(): Promise<ServeStatus> {
    const { settings } = this.#options;
    try {
      this.#takePidFile();
      const config = await Promise.race([this.#open(settings, 1), this.#untilCancelled()]);
      this.#active = config;
      this.#phase = "serving";
      this.#watchWorld(config);
      watchForFaults(config.logs);
      // ps(1) shows it, which distinguishes several servers.
      process.title = `comanche: primary ${titleOf(config)}`;
      await this.#announce(config);
      return await this.#serve();
    } finally {
      this.#closeWatches();
      this.#renewal.close();
      this.#status.close();
      this.#notifier.close();
      await this.#active?.logs.close();
      this.#context.sockets.close();
      this.#stateFile?.remove();
      this.#pidFile?.release();
    }
  }

  /** A start that is almost done may finish, so that no accepted connection is cut. */
  async #untilCancelled(): Promise<never> {
    const signal = await this.#signals.untilStop();
    await setTimeout(CANCEL_TIMEOUT_MS, undefined, { ref: false });
    throw new StartupError(`${signal}: stopped before it was listening`);
  }

  /** Handles signals until one stops the server. */
  async #serve(): Promise<ServeStatus> {
    for (;;) {
      const signal = await this.#signals.next();
      switch (signal) {
        case "SIGHUP":
          if (this.#signals.hasLostTerminal()) return this.#stop("SIGHUP");
          this.#hangups += 1;
          this.#reloading ??= this.#reload().finally(() => {
            this.#reloading = undefined;
          });
          break;
        case "SIGUSR1":
          this.#logs.reopen();
          this.#logs.events.info("SIGUSR1: logs reopened");
          break;
        case "SIGUSR2":
          void this.#tellStatus();
          break;
        default:
          return this.#stop(signal);
      }
    }
  }

  get #logs(): LogBook {
    if (this.#active === undefined) throw new Error("ignored until the server listens");
    return this.#active.logs;
  }

  #takePidFile(): void {
    const { settings, startReporter, user, hasUsualPidFile } = this.#options;
    const { pidfile } = settings.server;
    // In the foreground several servers may run side by side, so the PID file is taken only on request.
    const isUsual = hasUsualPidFile && (startReporter.isDaemon || serviceDirectory(user) !== undefined);
    if (!isUsual && pidfile === undefined) return;
    this.#pidFile = acquirePidFile(pidFilePaths(pidfile, user));
    this.#stateFile = new StateFile(this.#pidFile.path);
    // It proves that the PID in the file is ours.
    this.#noteState();
  }

  #open(settings: Settings, number: number): Promise<ActiveConfig> {
    return activate(settings, number, this.#active, this.#activation);
  }

  get #activation() {
    return {
      ...this.#context,
      onGeneration: (generation: Generation) => this.#admit(generation),
      onChange: () => this.#noteState(),
      onOutOfReach: (generation: number, places: readonly AbsolutePath[]) => this.#noteOutOfReach(generation, places),
    };
  }

  #admit(generation: Generation): void {
    // Else nothing would drain it.
    if (this.#isStopping()) throw new StartupError("the server is stopping");
    this.#generations.add(generation);
  }

  #noteOutOfReach(generation: number, places: readonly AbsolutePath[]): void {
    const active = this.#active;
    if (active === undefined || generation !== active.generation.number || this.#isStopping()) return;
    const now = systemClock.monotonic();
    if (now >= this.#nextLook) {
      // At once: a link that is turned back and forth may lead somewhere else when the renewal begins.
      lookAtPlaces(active.settings, active.privileges, this.#context.formerPlaces);
      this.#nextLook = now + LOOK_INTERVAL_MS;
    }
    this.#renewal.report(places);
  }

  /** One change of the active configuration after the other. */
  #exclusively<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }

  /** Certificates and backends may change while a configuration is active. */
  #watchWorld({ settings, tls, backends, logs: { events } }: ActiveConfig): void {
    this.#closeWatches();
    const { terminators } = settings;
    const specs = tlsSpecs(settings);
    const { tickets } = this.#context;
    if (specs.size > 0) {
      const onRenewed = (materials: TlsMaterials): void =>
        this.#active?.generation.publish({ kind: "certificates", materials });
      this.#watches.push(new TlsWatch({ specs, loaded: tls, tickets, events, now: Date.now, onRenewed }));
    }
    const onMoved = (backends: BackendEndpoints): void =>
      this.#active?.generation.publish({ kind: "backends", backends });
    this.#watches.push(new BackendWatch({ terminators, places: backends, events, onMoved }));
  }

  #closeWatches(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
  }

  async #announce(config: ActiveConfig): Promise<void> {
    const { startReporter, version, notices } = this.#options;
    const lines = describeStart({ version, config, notices });
    // State file first: the reader of the log lines may look there next.
    this.#noteState();
    for (const line of lines.info) config.logs.events.info(line);
    const warnings = [...lines.warnings, ...this.#warnOfSystem()];
    for (const line of warnings) config.logs.events.warn(line);
    this.#status.watch(
      () => this.#pool(),
      config.logs.events,
      startReporter.isDaemon ? 0 : config.settings.server.statusInterval,
    );
    this.#notifier.ready(lines.info[0] ?? "serving");
    if (startReporter.isDaemon) await startReporter.reportReady([...lines.info, ...warnings], config.logs.errorPath);
  }

  /** What of this machine the operator should know; called once. */
  #warnOfSystem(): readonly string[] {
    const { native } = this.#context;
    const isOwn = (pid: number): boolean =>
      [...this.#generations].some(({ workers }) => workers.some((worker) => worker.pid === pid));
    const orphans = watchForOrphans(native.kind === "native" ? native.native : undefined, isOwn);
    return [localZoneWarning(), orphans].filter((warning) => warning !== undefined);
  }

  /** Repeats until a reload covers every hangup received. */
  async #reload(): Promise<void> {
    while (this.#phase !== "stopping" && (this.#reloadState?.covers ?? 0) < this.#hangups) {
      const covers = this.#hangups;
      this.#phase = "reloading";
      this.#notifier.reloading();
      this.#noteState();
      const outcome = await this.#exclusively(() => this.#tryReload());
      if (this.#isStopping()) return;
      this.#phase = "serving";
      this.#reloadState = { covers, ...outcome, at: unixMilliseconds(Date.now()) };
      const isDone = outcome.outcome === "done";
      const text = isDone ? outcome.message : `reload failed, keeping the old configuration: ${outcome.message}`;
      this.#logs.events[isDone ? "info" : "error"](`SIGHUP: ${text}`);
      this.#notifier.reloaded(text.split("\n")[0] ?? "");
      this.#noteState();
    }
  }

  async #tryReload(): Promise<Pick<ReloadState, "outcome" | "message">> {
    const old = this.#active;
    if (old === undefined) throw new Error("nothing to reload");
    try {
      const loaded = this.#options.load();
      if (loaded.kind === "faults") throw new StartupError(describeFaults(loaded.faults));
      const { settings } = loaded;
      if (settings.server.pidfile !== old.settings.server.pidfile) {
        throw new StartupError("pidfile has changed: this needs a restart");
      }
      const config = await this.#open(settings, old.generation.number + 1);
      this.#active = config;
      this.#watchWorld(config);
      this.#status.events = config.logs.events;
      if (!this.#isStopping()) void this.#retire(old);
      const configuration = settings.configFile ?? "no configuration file";
      return { outcome: "done", message: `generation ${config.generation.number} serves with ${configuration}` };
    } catch (error) {
      const why = error instanceof StartupError ? error.message : describeThrown(error);
      return { outcome: "failed", message: why };
    }
  }

  /** @param reported  what workers could not reach */
  async #confineAgain(reported: ReadonlySet<AbsolutePath>): Promise<RenewalOutcome> {
    return this.#exclusively(async () => {
      const old = this.#active;
      if (old === undefined || this.#isStopping()) return "useless";
      const { events } = old.logs;
      try {
        const again = await confineAgain(old, reported, this.#activation);
        this.#tellOnce(events, describeUnreached(again, reported));
        if (again.kind !== "confined") return "useless";
        const { config } = again;
        this.#active = config;
        events.info(
          `generation ${config.generation.number} serves: ${describeRenewal(old.sandbox, config.sandbox, reported)}`,
        );
        this.#noteState();
        if (!this.#isStopping()) void this.#retire(old, "outdated");
        return "done";
      } catch (error) {
        const why = error instanceof StartupError ? error.message : describeThrown(error);
        const what = listSome([...reported]);
        if (!this.#isStopping()) {
          this.#tellOnce(events, [`cannot start workers whose sandbox reaches ${what}, keeping the old ones: ${why}`]);
        }
        return "failed";
      }
    });
  }

  /** Workers report again and again; what is still true is not told again. */
  #tellOnce(events: Events, lines: readonly string[]): void {
    const text = lines.join("\n");
    if (text !== this.#lastUnreached) for (const line of lines) events.error(line);
    this.#lastUnreached = text;
  }

  /** No time limit for its connections: the new generation accepts already. */
  async #retire(old: ActiveConfig, mode: DrainMode = "handing-over"): Promise<void> {
    if (mode === "outdated") this.#limitOutdated(old.generation);
    await old.generation.drain(mode, undefined);
    this.#generations.delete(old.generation);
    this.#outdated.delete(old.generation);
    if (old.logs !== this.#active?.logs && !this.#isLogUsed(old.logs)) await old.logs.close();
    this.#noteState();
  }

  /** Document roots may move often: the oldest of their generations do not wait for long downloads then. */
  #limitOutdated(another: Generation): void {
    this.#outdated.add(another);
    const grace = this.#active?.settings.server.grace;
    for (const generation of [...this.#outdated].slice(0, -MAX_OUTDATED)) void generation.drain("outdated", grace);
  }

  /** By a generation that still drains. */
  #isLogUsed(logs: LogBook): boolean {
    return [...this.#generations].some((generation) => generation.logs === logs);
  }

  async #stop(signal: SignalName): Promise<ServeStatus> {
    const { events } = this.#logs;
    const grace = this.#active?.settings.server.grace;
    this.#phase = "stopping";
    this.#noteState();
    this.#notifier.stopping("stopping");
    // Else the kernel would accept connections for us, which no worker would answer.
    this.#context.sockets.close();
    events.info(`${signal}: stopping, at most ${(grace ?? 0) / 1000} s for what is under way`);
    this.#signals.onInterrupt(() => {
      events.info("SIGINT again: stopping at once");
      for (const generation of this.#generations) generation.broadcast({ kind: "cut" });
    });
    const cuts = await Promise.all([...this.#generations].map((generation) => generation.drain("stopping", grace)));
    await this.#lastChange;
    const cut = cuts.reduce((sum, each) => sum + each, 0);
    if (cut === 0) {
      events.info("stopped");
      return 0;
    }
    events.warn(`stopped; connections cut while busy: ${cut}`);
    return 3;
  }

  /** A function, because the compiler narrows the phase and does not see that it changes during an await. */
  #isStopping(): boolean {
    return this.#phase === "stopping";
  }

  async #pool() {
    const reports = (await this.#active?.generation.reports()) ?? [];
    return sumPools(reports);
  }

  async #tellStatus(): Promise<void> {
    const { events } = this.#logs;
    const generation = this.#active?.generation;
    const reports = (await generation?.reports()) ?? [];
    if (reports.some(({ pool }) => pool !== undefined)) events.info(formatPoolStatus(sumPools(reports)));
    events.info(describeReports(reports, generation?.number ?? 0, this.#startedAt));
    const tls = sumTls(reports.map((report) => report.tls));
    if (tls !== undefined) events.info(formatTlsStatus(tls));
    const tunnels = sumTunnels(reports.map((report) => report.tunnels));
    for (const [name, counts] of tunnels) events.info(formatTunnels(name, counts));
  }

  #noteState(): void {
    const config = this.#active;
    this.#stateFile?.write({
      pid: process.pid,
      process: this.#identity,
      version: this.#options.version,
      phase: this.#phase,
      startedAt: this.#startedAt,
      generation: config?.generation.number ?? 1,
      configFile: (config ?? this.#options).settings.configFile,
      endpoints: config === undefined ? [] : [...config.urls, ...config.terminators],
      workers: [...this.#generations].flatMap((generation) => generation.workers),
      hangups: this.#hangups,
      reload: this.#reloadState,
    });
  }
}

/** `on http://127.0.0.1:8080/`, or `that ends TLS at 127.0.0.1:8443 for 127.0.0.1,8000`. */
function titleOf({ urls, terminators }: ActiveConfig): string {
  const [url] = urls;
  return url === undefined ? `that ${terminators[0]}` : `on ${url}`;
}

/** Several faults begin on a line of their own. */
function describeFaults(faults: readonly Fault[]): string {
  const lines = faults.map(formatFault);
  return lines.length === 1 ? lines.join("") : `\n${lines.join("\n")}`;
}

/** Faults outside any request. After an uncaught exception the state is unknown, so the server ends. */
function watchForFaults({ events }: LogBook): void {
  process.on("unhandledRejection", (fault) => events.error("unhandled internal error", fault));
  process.on("uncaughtException", (fault) => {
    events.error("stopping after an internal error", fault);
    process.exit(1);
  });
}
