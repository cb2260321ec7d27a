/** The part of the server that talks to the network: its roles and its listeners. */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../base/clock.ts";
import type { Milliseconds } from "../base/units.ts";
import type { Settings } from "../config/settings.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { Events } from "../observe/log.ts";
import { RefusalReport } from "../observe/refusal-report.ts";
import type { Reach } from "../site/document-root.ts";
import { ThreadPool } from "../tasks/task-pool.ts";
import { probeHandles } from "../tls/probe-handles.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import { sumTls } from "../tls/tls-status.ts";
import { formatPurpose, type ListenSocket, type ServedEndpoint } from "../transport/endpoint.ts";
import { Listener } from "../transport/listener.ts";
import { describeTransport } from "../transport/transport-choice.ts";
import type { BackendEndpoints } from "../tunnel/backend.ts";
import type { NativeFiles } from "./build-sites.ts";
import type { DrainMode, RoleMessage, ServerMessage, WorkerReport } from "./messages.ts";
import type { Role } from "./role.ts";
import { openSiteRole } from "./site-role.ts";
import { openTerminatorRole } from "./terminator-role.ts";

export interface WorkerLogs {
  readonly access: AccessLog;
  readonly events: Events;
}

/** `cut`: how many connections were still busy at the end of the grace period. */
type DrainOutcome = { readonly kind: "finished" } | { readonly kind: "cut"; readonly cut: number };

export interface Worker {
  /** The endpoints really bound, in the order of the settings. */
  readonly served: readonly ServedEndpoint[];
  report(): WorkerReport;
  /** Stops accepting and drains; cuts the rest after `grace`, if given. May be called again, with the same outcome. */
  drain(mode: DrainMode, grace: Milliseconds | undefined): Promise<DrainOutcome>;
  receive(message: RoleMessage): void;
  /** Ends a `drain` at once. */
  cut(): void;
}

const THREAD_MAIN = fileURLToPath(new URL("../thread-main.js", import.meta.url));

/**
 * The threads for tasks, started with the first tasks.
 *
 * @param isEnclosed  the process is about to chroot away from its program: all threads start now and stay
 * @param onLostThread  one of those has died and cannot be replaced
 */
export async function openTaskThreads(
  { server: { workers: threads, queue } }: Settings,
  events: Events,
  isEnclosed = false,
  onLostThread: () => void = () => undefined,
): Promise<ThreadPool> {
  const pool = new ThreadPool({
    threads,
    queue,
    filename: THREAD_MAIN,
    events,
    ...(isEnclosed ? { keepAll: { onLost: onLostThread } } : {}),
  });
  if (isEnclosed) await pool.startAll();
  return pool;
}

export interface WorkerParts {
  readonly settings: Settings;
  readonly logs: WorkerLogs;
  readonly sockets: readonly ListenSocket[];
  readonly tls: TlsMaterials;
  readonly backends: BackendEndpoints;
  /** The worker owns it from now on; undefined without sites. */
  readonly pool: ThreadPool | undefined;
  readonly send: (message: ServerMessage) => void;
  readonly native?: NativeFiles | undefined;
  /** Undefined where no sandbox limits the process. */
  readonly reach?: Reach | undefined;
}

/** Begins to accept. @throws StartupError when a document root or socket fails; nothing is left open then */
export async function startWorker(parts: WorkerParts): Promise<Worker> {
  const { logs, pool } = parts;
  const roles = await openRoles(parts);
  const listeners = await openListeners(parts.sockets, roles);
  const graceEnd = new AbortController();
  let isAccepting = true;
  let outcome: Promise<DrainOutcome> | undefined;

  const finish = async (ended: Promise<unknown>): Promise<DrainOutcome> => {
    await Promise.race([ended, aborted(graceEnd.signal)]);
    const cut = roles.reduce((sum, role) => sum + role.cut(), 0);
    await Promise.all(roles.map((role) => role.close()));
    return cut === 0 ? { kind: "finished" } : { kind: "cut", cut };
  };

  return {
    served: listeners.map(({ listener: { endpoint }, purpose }) => ({ endpoint, purpose })),
    report: () => {
      const reports = roles.map((role) => role.report());
      return {
        pool: pool?.state,
        connections: reports.reduce((sum, { connections }) => sum + connections, 0),
        tls: sumTls(reports.map(({ tls }) => tls)),
        tunnels: new Map(reports.flatMap(({ tunnels }) => [...tunnels])),
      };
    },
    receive(message) {
      try {
        for (const role of roles) role.receive(message);
      } catch (fault) {
        logs.events.error(`cannot use the new ${message.kind}, keeping the old ones`, fault);
      }
    },
    cut: () => graceEnd.abort(),
    drain(mode, grace) {
      if (isAccepting) for (const { listener } of listeners) listener.close();
      isAccepting = false;
      if (grace !== undefined) void setTimeout(grace, undefined, { ref: false }).then(() => graceEnd.abort());
      const ended = Promise.all(roles.map((role) => role.drain(mode)));
      outcome ??= finish(ended);
      return outcome;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function openRoles(parts: WorkerParts): Promise<readonly Role[]> {
  const { settings, sockets, tls, backends, pool, send, native, reach } = parts;
  const { access, events } = parts.logs;
  const refusals = new RefusalReport(systemClock, (text) => events.info(text));
  const choice = await probeHandles();
  if (choice.kind === "socket") events.warn(describeTransport(choice));
  const sites =
    pool === undefined
      ? []
      : [await openSiteRole({ choice, settings, access, events, refusals, sockets, tls, pool, send, native, reach })];
  const terminators = [...settings.terminators].map(([name, terminator]) => {
    const material = tls.get(formatPurpose({ kind: "terminator", name }));
    const places = backends.get(name);
    if (material === undefined || places === undefined) throw new Error(`terminator ${name} has no keys or no backend`);
    return openTerminatorRole(name, terminator, material, places, choice, refusals, events);
  });
  return [...sites, ...terminators];
}

interface OpenListener {
  readonly listener: Listener;
  readonly purpose: ListenSocket["purpose"];
}

async function openListeners(
  sockets: readonly ListenSocket[],
  roles: readonly Role[],
): Promise<readonly OpenListener[]> {
  const listeners: OpenListener[] = [];
  try {
    for (const socket of sockets) {
      const { purpose } = socket;
      const { backlog, reception } = receptionFor(purpose, roles);
      listeners.push({ listener: await Listener.open(socket, backlog, reception), purpose });
    }
  } catch (error) {
    for (const { listener } of listeners) listener.close();
    for (const role of roles) void role.close();
    throw error;
  }
  return listeners;
}

function receptionFor(purpose: ListenSocket["purpose"], roles: readonly Role[]) {
  for (const role of roles) {
    const reception = role.reception(purpose);
    if (reception !== undefined) return { backlog: role.backlog, reception };
  }
  throw new Error(`no role serves ${formatPurpose(purpose)}`);
}
