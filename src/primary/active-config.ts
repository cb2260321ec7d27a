/**
 * The active configuration: logs, sockets, certificates, backends, and the generation of workers. Opening one is a
 * transaction. A reload opens the next one beside it; both share what both name.
 */
import { networkInterfaces } from "node:os";
import { connectionsWanted, decideProcesses } from "../config/limits-per-worker.ts";
import { type Settings, servesSites } from "../config/settings.ts";
import type { UserFacts } from "../control/user-directories.ts";
import { raiseDescriptorLimit } from "../system/descriptor-limit.ts";
import type { NativeResult } from "../system/native.ts";
import { preparePrivileges } from "../system/privileges.ts";
import { prepareSandbox } from "../system/sandbox.ts";
import { limitUnsentBytes } from "../system/unsent-limit.ts";
import { prepareUploadDirectories } from "../system/upload-directories.ts";
import { tlsSpecs } from "../tls/tls-specs.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import { describeTerminators, describeUnverified, type Interfaces, type Served, urlsFor } from "./announce.ts";
import { findBackends } from "./backends.ts";
import { Generation } from "./generation.ts";
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
}

export interface ActivationWatcher {
  /** The generation is about to start processes, whether or not the configuration becomes active. */
  readonly onGeneration: (generation: Generation) => void;
  readonly onChange: () => void;
}

export interface ActiveConfig extends Served {
  readonly logs: LogBook;
  readonly generation: Generation;
  readonly tls: LoadedTls;
  readonly backends: BackendEndpoints;
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
  const { user, isDaemon } = context;
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
      const sandbox = await prepareSandbox(settings, privileges);
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
