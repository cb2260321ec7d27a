/**
 * The active configuration: logs, sockets, certificates, backends, and the generation of workers. Opening one is a
 * transaction. A reload opens the next one beside it; both share what both name.
 */
import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { AbsolutePath } from "../base/absolute-path.ts";
import { connectionsWanted, decideProcesses } from "../config/limits-per-worker.ts";
import { type Settings, servesSites } from "../config/settings.ts";
import type { UserFacts } from "../control/user-directories.ts";
import { raiseDescriptorLimit } from "../system/descriptor-limit.ts";
import type { FormerPlaces } from "../system/former-places.ts";
import type { NativeResult } from "../system/native.ts";
import type { PrivilegePlan } from "../system/privilege-plan.ts";
import { preparePrivileges } from "../system/privileges.ts";
import { type PreparedSandbox, prepareSandbox } from "../system/sandbox.ts";
import { limitUnsentBytes } from "../system/unsent-limit.ts";
import { prepareUploadDirectories } from "../system/upload-directories.ts";
import { tlsSpecs } from "../tls/tls-specs.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import { describeTerminators, describeUnverified, type Interfaces, type Served, urlsFor } from "./announce.ts";
import { findBackends } from "./backends.ts";
import { Generation, type GenerationOptions } from "./generation.ts";
import { LogBook } from "./log-book.ts";
import { listenSpecs, type Sockets } from "./sockets.ts";
import type { TicketKeys } from "./ticket-keys.ts";
import { type LoadedTls, loadTls } from "./tls-files.ts";

/** Constant while the server lives. */
export interface ServerContext {
  readonly sockets: Sockets;
  readonly user: UserFacts;
  readonly isDaemon: boolean;
  readonly cores: number;
  readonly native: NativeResult;
  /** Ticket keys for sides whose settings name no file. */
  readonly tickets: TicketKeys;
  readonly formerPlaces: FormerPlaces;
}

export interface ActivationWatcher extends Pick<GenerationOptions, "onChange" | "onOutOfReach"> {
  /** The generation is about to start processes, whether or not the configuration becomes active. */
  readonly onGeneration: (generation: Generation) => void;
}

export interface ActiveConfig extends Served {
  readonly logs: LogBook;
  readonly generation: Generation;
  readonly tls: LoadedTls;
  readonly backends: BackendEndpoints;
  readonly privileges: PrivilegePlan;
  readonly sandbox: PreparedSandbox;
  /** Generations in a row, this one included, whose sandbox allowed nothing more. */
  readonly sameSandboxes: number;
}

/**
 * @param previous  serves until this one does
 * @returns the configuration, which serves now; sockets that it does not name are closed
 * @throws StartupError when any part fails; the previous one is unchanged then
 */
export async function activate(
  settings: Settings,
  number: number,
  previous: ActiveConfig | undefined,
  context: ServerContext & ActivationWatcher,
): Promise<ActiveConfig> {
  const { user, isDaemon, formerPlaces } = context;
  const native = context.native.kind === "native" ? context.native.native : undefined;
  const hasSameLogs = previous !== undefined && isSameLogging(settings, previous.settings);
  const logs = hasSameLogs ? previous.logs : await LogBook.open(settings, user, isDaemon);
  try {
    const choice = await context.sockets.choose(listenSpecs(settings), settings.server.socketMode);
    try {
      if (native !== undefined) limitUnsentBytes(choice.sockets, native);
      const tls = loadTls(tlsSpecs(settings), context.tickets.current, Date.now());
      const backends = await findBackends(settings.terminators);
      const { privileges, warning } = await preparePrivileges(settings.server);
      const uploadNotices = prepareUploadDirectories(settings, privileges);
      const sandbox = await prepareSandbox(settings, privileges, formerPlaces);
      const processes = decideProcesses(
        settings.server.processes,
        context.cores,
        settings.server.workers,
        settings.server.maxConnections,
      );
      const threads = servesSites(settings) ? settings.server.workers : 0;
      const need = { maxConnections: connectionsWanted(settings), threads, processes };
      const shortage = raiseDescriptorLimit(need, native);
      const generation = new Generation({
        number,
        settings,
        processes,
        sockets: choice.sockets,
        tls: tls.materials,
        backends,
        privileges,
        confinement: sandbox.confinement,
        logs,
        native,
        onChange: context.onChange,
        onOutOfReach: context.onOutOfReach,
      });
      context.onGeneration(generation);
      const served = await generation.start();
      choice.commit();
      return {
        settings,
        logs,
        generation,
        processes,
        tls,
        backends,
        privileges,
        sandbox,
        sameSandboxes: 1,
        urls: urlsFor(served, lookAtInterfaces()),
        terminators: describeTerminators(settings.terminators, served),
        notices: [...choice.notices, ...uploadNotices, sandbox.notice],
        warnings: [warning, shortage, ...tls.warnings, ...describeUnverified(settings.terminators)].filter(
          (text) => text !== undefined,
        ),
      };
    } catch (error) {
      choice.cancel();
      throw error;
    }
  } catch (error) {
    if (!hasSameLogs) await logs.close();
    throw error;
  }
}

// What a worker found out of reach may have moved back: a link that is turned all the time is looked at until it leads there.
const MAX_LOOKS = 30;
const LOOK_PAUSE_MS = 7;
// A folder may be replaced between the look at it and the rule for it: a second sandbox for the same places can reach more.
const MAX_SAME_SANDBOXES = 2;

/**
 * `same`: another sandbox would allow nothing more. `missing`: there is no such folder that it could allow. `notices`:
 * upload directories that could not be made.
 */
export type ConfinedAgain =
  | { readonly kind: "confined"; readonly config: ActiveConfig; readonly notices: readonly string[] }
  | { readonly kind: "same" | "missing"; readonly notices: readonly string[] };

/**
 * Starts a generation whose sandbox reaches what the active one's does not: the docbases and upload directories as they
 * are now. Nothing else changes, and no configuration is read again.
 *
 * @param reported  what workers could not reach
 * @returns the configuration with that generation, which serves now
 * @throws StartupError when it fails; `active` still serves then
 */
export async function confineAgain(
  active: ActiveConfig,
  reported: ReadonlySet<AbsolutePath>,
  { formerPlaces, onGeneration }: ServerContext & ActivationWatcher,
): Promise<ConfinedAgain> {
  const { settings, privileges } = active;
  const notices = prepareUploadDirectories(settings, privileges);
  let sandbox = await prepareSandbox(settings, privileges, formerPlaces);
  if (areMissing(sandbox, reported)) {
    // What was missing before was told of before.
    return { kind: "missing", notices: areMissing(active.sandbox, reported) ? [] : notices };
  }
  for (let looks = 1; looks < MAX_LOOKS && !allowsMore(sandbox, active.sandbox); looks += 1) {
    await setTimeout(LOOK_PAUSE_MS);
    sandbox = await prepareSandbox(settings, privileges, formerPlaces);
  }
  const sameSandboxes = allowsMore(sandbox, active.sandbox) ? 1 : active.sameSandboxes + 1;
  if (sameSandboxes > MAX_SAME_SANDBOXES) return { kind: "same", notices };
  const generation = active.generation.successor(active.generation.number + 1, sandbox.confinement);
  generation.publishAllOf(active.generation);
  onGeneration(generation);
  await generation.start();
  generation.publishAllOf(active.generation);
  return { kind: "confined", config: { ...active, generation, sandbox, sameSandboxes }, notices };
}

/** Inside a chroot the places have other names: of those nothing is known. */
function areMissing({ places }: PreparedSandbox, names: ReadonlySet<AbsolutePath>): boolean {
  return [...names].every((name) => places.has(name) && places.get(name) === undefined);
}

function allowsMore(one: PreparedSandbox, other: PreparedSandbox): boolean {
  return [...one.extent].some((rule) => !other.extent.has(rule));
}

function isSameLogging({ server: now }: Settings, { server: before }: Settings): boolean {
  const keys = ["logfile", "errorlog", "logLevel", "quiet", "syslog", "syslogFacility"] as const;
  return keys.every((key) => now[key] === before[key]);
}

/** A service manager may forbid the sockets that Node needs to list the addresses. */
function lookAtInterfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}
