/**
 * The part of the server that talks to the network: here the parts of the house are joined.
 */
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../base/clock.ts";
import { errorCode } from "../base/errors.ts";
import { EventLoopTurn, type Turn } from "../base/turn.ts";
import { type Milliseconds, seconds } from "../base/units.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import type { Settings } from "../config/settings.ts";
import { BufferPool } from "../net/buffer-pool.ts";
import type { ConnectionContext, ConnectionLimits } from "../net/connection-context.ts";
import { Connections } from "../net/connections.ts";
import { type Endpoint, endpointsFor } from "../net/endpoint.ts";
import { Listener } from "../net/listener.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { Events } from "../observe/log.ts";
import { chooseLineFormat } from "../observe/log-format.ts";
import type { Sites } from "../site/choose-site.ts";
import { FileCache } from "../site/file-cache.ts";
import type { LocateContext } from "../site/locate.ts";
import { PageBudget } from "../site/page-budget.ts";
import { RefusalReport } from "../site/refusal-report.ts";
import { createService } from "../site/serve.ts";
import { prepareUploads } from "../site/upload.ts";
import type { PoolState } from "../tasks/pool-status.ts";
import { ThreadPool } from "../tasks/task-pool.ts";
import type { TaskPool } from "../tasks/task-types.ts";
import { buildSites } from "./build-sites.ts";

export interface WorkerLogs {
  readonly access: AccessLog;
  readonly events: Events;
}

/** `cut`: how many connections were still busy when the time was up. */
export type DrainOutcome = { readonly kind: "finished" } | { readonly kind: "cut"; readonly cut: number };

export interface Worker {
  /** What is really bound, in the order of the settings. */
  readonly endpoints: readonly Endpoint[];
  /** How busy its threads are now. */
  readonly poolState: PoolState;
  /** Stops accepting, finishes what is under way, and cuts what is left after `grace`. */
  drain(grace: Milliseconds): Promise<DrainOutcome>;
  /** Ends a `drain` that is under way, at once. */
  cut(): void;
}

/** How long a stop waits for handlers whose connections were cut, and for tasks. */
const HANDLER_PATIENCE_MS = 1000;

const THREAD_MAIN = fileURLToPath(new URL("../thread-main.js", import.meta.url));

/** @throws StartupError when a document root cannot be served or an endpoint not be bound; nothing is left open then */
export async function startWorker(settings: Settings, logs: WorkerLogs): Promise<Worker> {
  let isDraining = false;
  const turn = new EventLoopTurn();
  const sites = buildSites(settings, turn);
  await prepareUploads(sites, (text) => logs.events.warn(text));
  const pool = openPool(settings, logs);
  const connections = new Connections(
    {
      ...connectionParts(settings, logs, pool, sites, turn),
      isDraining: () => isDraining,
    },
    settings.server,
  );
  const listeners = await openListeners(settings, connections).catch((error: unknown) => {
    connections.close();
    throw error;
  });
  let cutNow = (): void => undefined;

  return {
    endpoints: listeners.map(({ endpoint }) => endpoint),
    get poolState() {
      return pool.state;
    },
    cut: () => cutNow(),
    async drain(grace) {
      isDraining = true;
      for (const listener of listeners) listener.close();
      const patience = new AbortController();
      cutNow = () => patience.abort();
      const ended = connections.drain();
      await Promise.race([ended, setTimeout(grace, undefined, { signal: patience.signal }).catch(() => undefined)]);
      patience.abort();
      const cut = connections.busyCount;
      connections.destroyAll();
      // Handlers and tasks end now too, but one that a dead file system holds must not hold the server as well.
      await Promise.race([Promise.all([ended, pool.close()]), setTimeout(HANDLER_PATIENCE_MS)]);
      connections.close();
      return cut === 0 ? { kind: "finished" } : { kind: "cut", cut };
    },
  };
}

/** Without a thread, as long as there is no task. */
function openPool({ server: { workers, queue } }: Settings, { events }: WorkerLogs): ThreadPool {
  return new ThreadPool({ workers, queue, filename: THREAD_MAIN, events });
}

function connectionParts(
  settings: Settings,
  logs: WorkerLogs,
  pool: TaskPool,
  sites: Sites,
  turn: Turn,
): Omit<ConnectionContext, "isDraining"> {
  const clock = systemClock;
  return {
    service: buildService(settings, logs, pool, sites, turn, clock),
    limits: connectionLimits(settings),
    clock,
    buffers: new BufferPool(),
    trace: traceFor(settings, logs.events),
    onFault: (fault) => logs.events.error("a request failed through a fault of the server", fault),
  };
}

function buildService(
  settings: Settings,
  { access, events }: WorkerLogs,
  pool: TaskPool,
  sites: Sites,
  turn: Turn,
  clock: Clock,
) {
  const formatLine = chooseLineFormat(settings.server.logformat);
  const cacheLimits = { maxBytes: settings.server.cacheSize, maxFile: settings.server.cacheFile };
  const locating: LocateContext = {
    files: new FileCache(cacheLimits, turn),
    pool,
    pages: new PageBudget(),
    retryAfter: seconds(Math.ceil(settings.server.retryAfter / 1000)),
    clock,
  };
  return createService({
    sites,
    locating,
    clock,
    server: settings.server.server,
    boundaryNonce: randomBytes(12).toString("base64url"),
    refusals: new RefusalReport(clock, (text) => events.info(text)),
    record: (exchange) => access.record(formatLine(exchange)),
    trace: traceFor(settings, events),
  });
}

/** Undefined where nobody would see it, so that nothing is put into words in vain. */
function traceFor({ server }: Settings, events: Events): ((text: string) => void) | undefined {
  return server.logLevel === "debug" ? (text) => events.debug(text) : undefined;
}

function connectionLimits({ server }: Settings): ConnectionLimits {
  return {
    maxTarget: server.maxTarget,
    maxHeader: server.maxHeader,
    maxFields: server.maxFields,
    maxBody: server.maxBody,
    keepaliveRequests: server.keepaliveRequests,
    idleTimeout: server.timeout,
    headerTimeout: server.headerTimeout,
    bodyTimeout: server.bodyTimeout,
    sendTimeout: server.sendTimeout,
  };
}

/** With port 0 the first socket takes a free port, and the others the same one. */
async function openListeners(settings: Settings, connections: Connections): Promise<readonly Listener[]> {
  const { address: addresses, backlog } = settings.server;
  const listeners: Listener[] = [];
  let port: number = settings.server.port;
  try {
    for (const address of addresses) {
      for (const wanted of endpointsFor(address, port)) {
        // The port may have been chosen since the list was made.
        const endpoint = wanted.kind === "tcp" ? { ...wanted, port } : wanted;
        const listener = await openListener(endpoint, backlog, connections, address);
        if (listener === undefined) continue;
        listeners.push(listener);
        if (listener.endpoint.kind === "tcp") port = listener.endpoint.port;
      }
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

/** @returns undefined for the half of `*` whose address family this machine does not have */
async function openListener(
  endpoint: Endpoint,
  backlog: number,
  connections: Connections,
  address: ListenAddress,
): Promise<Listener | undefined> {
  try {
    return await Listener.open(endpoint, backlog, (socket) => connections.accept(socket));
  } catch (error) {
    const isMissingFamily =
      error instanceof Error && ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(errorCode(error.cause) ?? "");
    if (address.kind === "every" && isMissingFamily) return undefined;
    throw error;
  }
}
