/**
 * The part of the server that talks to the network: here the parts of the house are joined.
 */
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../base/clock.ts";
import { isInRanges } from "../base/ip-range.ts";
import { EventLoopTurn, type Turn } from "../base/turn.ts";
import { type Milliseconds, seconds } from "../base/units.ts";
import type { Settings } from "../config/settings.ts";
import { FieldBlocks } from "../http/field-blocks.ts";
import { BufferPool } from "../net/buffer-pool.ts";
import type { ConnectionContext, ConnectionLimits, ServingPhase } from "../net/connection-context.ts";
import { Connections } from "../net/connections.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { Listener, type ListenerHooks, type ListenSocket } from "../net/listener.ts";
import { probeHandleTransport } from "../net/probe-handle-transport.ts";
import { openProxied } from "../net/proxied-transport.ts";
import { TlsAcceptor } from "../net/tls-acceptor.ts";
import type { TlsMaterial } from "../net/tls-identity.ts";
import type { AcceptedTransport } from "../net/transport.ts";
import { describeTransport, type TransportChoice } from "../net/transport-choice.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { Events } from "../observe/log.ts";
import { chooseLineFormat } from "../observe/log-format.ts";
import type { Sites } from "../site/choose-site.ts";
import { FileCache } from "../site/file-cache.ts";
import type { LocateContext } from "../site/locate.ts";
import { PageBudget } from "../site/page-budget.ts";
import { RefusalReport } from "../site/refusal-report.ts";
import { createService } from "../site/serve.ts";
import type { TlsPresence } from "../site/tls-presence.ts";
import { prepareUploads } from "../site/upload.ts";
import type { UploadLedger } from "../site/upload-ledger.ts";
import { ThreadPool } from "../tasks/task-pool.ts";
import { buildSites, type NativeFiles } from "./build-sites.ts";
import { tlsRules } from "./tls-files.ts";
import type { DrainMode, WorkerReport } from "./worker-message.ts";

export interface WorkerLogs {
  readonly access: AccessLog;
  readonly events: Events;
}

/** `cut`: how many connections were still busy when the time was up. */
export type DrainOutcome = { readonly kind: "finished" } | { readonly kind: "cut"; readonly cut: number };

export interface Worker {
  /** What is really bound, in the order of the settings. */
  readonly endpoints: readonly Endpoint[];
  /** How busy it is now. */
  report(): WorkerReport;
  /**
   * Stops accepting, finishes what is under way, and cuts what is left after `grace`, if there is one. While it hands over
   * it may be told to stop; every call resolves with the same.
   */
  drain(mode: DrainMode, grace: Milliseconds | undefined): Promise<DrainOutcome>;
  /** Handshakes use these from now on. */
  renew(tls: TlsMaterial): void;
  /** Ends a `drain` that is under way, at once. */
  cut(): void;
}

/** How long a stop waits for handlers whose connections were cut, and for tasks. */
const HANDLER_PATIENCE_MS = 1000;

const THREAD_MAIN = fileURLToPath(new URL("../thread-main.js", import.meta.url));

/**
 * The threads for tasks, of which there is none as long as there is no task.
 *
 * @param isEnclosed  the process is about to lose sight of its own program: all threads start now, and keep all they need
 * @param onLostThread  one of those has died, and cannot be replaced
 */
export async function openTaskThreads(
  { server: { workers, queue } }: Settings,
  events: Events,
  isEnclosed = false,
  onLostThread: () => void = () => undefined,
): Promise<ThreadPool> {
  const pool = new ThreadPool({
    workers,
    queue,
    filename: THREAD_MAIN,
    events,
    ...(isEnclosed ? { keepAll: { onLost: onLostThread } } : {}),
  });
  if (isEnclosed) await pool.startAll();
  return pool;
}

/** What a worker is made of. */
export interface WorkerParts {
  readonly settings: Settings;
  readonly logs: WorkerLogs;
  readonly sockets: readonly ListenSocket[];
  /** Undefined where TLS is not spoken. */
  readonly tls: TlsMaterial | undefined;
  /** The worker's from now on. */
  readonly pool: ThreadPool;
  readonly uploads: UploadLedger;
  /** As `buildSites` takes it. */
  readonly native?: NativeFiles | undefined;
}

/**
 * Builds the sites and begins to accept.
 *
 * @throws StartupError when a document root cannot be served or a socket not be listened on; nothing is left open then
 */
export async function startWorker(parts: WorkerParts): Promise<Worker> {
  const { settings, logs, pool, uploads } = parts;
  let phase: ServingPhase = "serving";
  const turn = new EventLoopTurn();
  const sites = buildSites(settings, turn, parts.native);
  await prepareUploads(sites, (text) => logs.events.warn(text), uploads);
  const refusals = new RefusalReport(systemClock, (text) => logs.events.info(text));
  const connections = new Connections(
    { ...connectionParts(parts, sites, turn, refusals), phase: () => phase },
    settings.server,
  );
  const tls = openTls(parts, refusals, connections);
  const transports = await probeHandleTransport();
  if (transports.kind === "socket") logs.events.warn(describeTransport(transports));
  const hooks: ListenerHooks = {
    onPlain: acceptPlain(parts, refusals, connections),
    onTls: (socket) => (tls === undefined ? socket.destroy() : tls.accept(socket)),
  };
  const listeners = await openListeners(parts, transports, hooks).catch((error: unknown) => {
    connections.close();
    throw error;
  });
  const patience = new AbortController();
  let outcome: Promise<DrainOutcome> | undefined;

  const finish = async (ended: Promise<void>): Promise<DrainOutcome> => {
    await Promise.race([ended, aborted(patience.signal)]);
    const cut = connections.busyCount;
    connections.destroyAll();
    // Handlers and tasks end now too, but one that a dead file system holds must not hold the server as well.
    await Promise.race([Promise.all([ended, pool.close()]), setTimeout(HANDLER_PATIENCE_MS)]);
    connections.close();
    return cut === 0 ? { kind: "finished" } : { kind: "cut", cut };
  };

  return {
    endpoints: listeners.map(({ endpoint }) => endpoint),
    report: () => ({ pool: pool.state, connections: connections.count, tls: tls?.counts }),
    renew(material) {
      try {
        tls?.renew(material);
      } catch (fault) {
        logs.events.error("the new certificates are not taken up, the old ones stay in force", fault);
      }
    },
    cut: () => patience.abort(),
    drain(mode, grace) {
      if (phase === "serving") for (const listener of listeners) listener.close();
      if (phase !== "stopping") phase = mode;
      if (grace !== undefined) void setTimeout(grace, undefined, { ref: false }).then(() => patience.abort());
      // Who shakes hands now is accepted when that is done.
      const ended = Promise.all([tls?.settled(), connections.drain()]).then(() => connections.drain());
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

function openTls(
  { settings, tls: material }: WorkerParts,
  refusals: RefusalReport,
  connections: Connections,
): TlsAcceptor | undefined {
  if (material === undefined) return undefined;
  return new TlsAcceptor({
    material,
    rules: tlsRules(settings.server),
    maxHandshakes: settings.server.tlsHandshakes,
    isTrustedProxy: settings.server.proxyProtocol ? trustIn(settings) : undefined,
    onAccepted: (transport) => connections.accept(transport),
    onFailed: (why, peer) => refusals.add(`TLS handshake with ${peer.address} failed: ${why}`),
  });
}

/** For plain connections: those that a proxy passes on are accepted when it has said for whom. */
function acceptPlain(
  { settings, logs }: WorkerParts,
  refusals: RefusalReport,
  connections: Connections,
): (transport: AcceptedTransport) => void {
  if (!settings.server.proxyProtocol) return (transport) => connections.accept(transport);
  const isTrusted = trustIn(settings);
  return (transport) =>
    openProxied(transport, {
      isTrusted,
      patience: settings.server.headerTimeout,
      onOpen: (proxied) => connections.accept(proxied),
      onRefused: (why) => refusals.add(`connection of ${transport.peer.address} cut: ${why}`),
      onFault: (fault) => logs.events.error("a connection failed through a fault of the server", fault),
    });
}

function trustIn({ server }: Settings): (address: string) => boolean {
  const ranges = server.trustedProxies.map(({ range }) => range);
  return (address) => isInRanges(address, ranges);
}

function connectionParts(
  parts: WorkerParts,
  sites: Sites,
  turn: Turn,
  refusals: RefusalReport,
): Omit<ConnectionContext, "phase"> {
  const { settings, logs } = parts;
  const clock = systemClock;
  return {
    service: buildService(parts, sites, turn, refusals),
    limits: connectionLimits(settings),
    fieldBlocks: new FieldBlocks(),
    clock,
    buffers: new BufferPool(),
    isTrustedProxy: settings.server.trustedProxies.length === 0 ? undefined : trustIn(settings),
    trace: traceFor(settings, logs.events),
    onFault: (fault) => logs.events.error("a request failed through a fault of the server", fault),
  };
}

function buildService(
  { settings, sockets, logs, pool, uploads }: WorkerParts,
  sites: Sites,
  turn: Turn,
  refusals: RefusalReport,
) {
  const clock = systemClock;
  const { access, events } = logs;
  const formatLine = chooseLineFormat(settings.server.logformat);
  const { cacheSize, cacheFile, cacheValid } = settings.server;
  const locating: LocateContext = {
    files: new FileCache({ maxBytes: cacheSize, maxFile: cacheFile, valid: cacheValid }, turn, clock),
    pool,
    pages: new PageBudget(),
    uploads,
    retryAfter: seconds(Math.ceil(settings.server.retryAfter / 1000)),
    clock,
  };
  return createService({
    sites,
    locating,
    clock,
    server: settings.server.server,
    boundaryNonce: randomBytes(12).toString("base64url"),
    refusals,
    tls: describeTls(settings, sockets),
    // What goes there is not even put into words.
    record:
      settings.server.logfile === "/dev/null" ? () => undefined : (exchange) => access.record(formatLine(exchange)),
    trace: traceFor(settings, events),
  });
}

function describeTls({ server }: Settings, sockets: readonly ListenSocket[]): TlsPresence | undefined {
  if (server.tlsPort === undefined) return undefined;
  const bound = sockets.find(({ endpoint }) => endpoint?.kind === "tcp" && endpoint.isTls === true)?.endpoint;
  const port = bound?.kind === "tcp" ? bound.port : server.tlsPort;
  return { port, redirects: server.tlsRedirect, hsts: seconds(Math.floor(server.hsts / 1000)) };
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

async function openListeners(
  { sockets, settings: { server } }: WorkerParts,
  transports: TransportChoice,
  hooks: ListenerHooks,
): Promise<readonly Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const socket of sockets) {
      listeners.push(await Listener.open(socket, server.backlog, transports, hooks));
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}
