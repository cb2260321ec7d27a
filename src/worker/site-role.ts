/** The role that serves the sites: joins the parts that answer requests. */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { EventLoopTurn, type LoopTurn, systemClock } from "../base/clock.ts";
import { isTrustedIn } from "../base/ip-range.ts";
import { seconds } from "../base/units.ts";
import type { Settings } from "../config/settings.ts";
import { BufferPool } from "../connection/buffer-pool.ts";
import type { ConnectionContext, ConnectionLimits, ServingPhase } from "../connection/connection-context.ts";
import { Connections } from "../connection/connections.ts";
import { FieldBlocks } from "../http/field-blocks.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { Events } from "../observe/log.ts";
import { chooseLineFormat } from "../observe/log-format.ts";
import type { RefusalReport } from "../observe/refusal-report.ts";
import type { Reach } from "../site/document-root.ts";
import { FileCache } from "../site/file-cache.ts";
import type { TlsPresence } from "../site/gates.ts";
import { ListingMemory } from "../site/listing-memory.ts";
import type { LocateContext } from "../site/locate.ts";
import { createService } from "../site/serve.ts";
import { SharedListings } from "../site/shared-listings.ts";
import type { Sites } from "../site/site.ts";
import { checkUploads, clearUploadsAgain, prepareUploads } from "../site/upload.ts";
import { UploadLedger } from "../site/upload-quota.ts";
import type { ThreadPool } from "../tasks/task-pool.ts";
import { TlsAcceptor } from "../tls/tls-acceptor.ts";
import type { TlsMaterials } from "../tls/tls-identity.ts";
import { httpsRules } from "../tls/tls-specs.ts";
import { formatPurpose, type ListenSocket } from "../transport/endpoint.ts";
import type { Reception } from "../transport/listener.ts";
import { openProxied } from "../transport/proxy-opening.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { TransportChoice } from "../transport/transport-choice.ts";
import { buildSites, type NativeFiles } from "./build-sites.ts";
import type { ServerMessage } from "./messages.ts";
import { CONNECTION_FAULT, describeLeft, type Role } from "./role.ts";

export interface SiteParts {
  readonly choice: TransportChoice;
  readonly settings: Settings;
  readonly access: AccessLog;
  readonly events: Events;
  readonly refusals: RefusalReport;
  readonly sockets: readonly ListenSocket[];
  readonly tls: TlsMaterials;
  /** The role closes it. */
  readonly pool: ThreadPool;
  readonly send: (message: ServerMessage) => void;
  readonly native: NativeFiles | undefined;
  readonly reach: Reach | undefined;
}

interface Parts extends SiteParts {
  readonly uploads: UploadLedger;
}

const HTTPS = formatPurpose({ kind: "https" });
const REACH_INTERVAL_MS = 1000;
/** Until then a slow init has reaped what was killed. */
const CLEAR_AGAIN_MS = 10_000;
/** How long `close` waits for tasks and for handlers of cut connections. */
const CLOSE_TIMEOUT_MS = 1000;

/** @throws StartupError when a document root cannot be served; only the pool is left open then */
export async function openSiteRole(parts: SiteParts): Promise<Role> {
  const { choice, settings, events, pool } = parts;
  const uploads = new UploadLedger((upload) => parts.send({ kind: "stored", upload }));
  let phase: ServingPhase = "serving";
  const turn = new EventLoopTurn();
  const sites = buildSites(settings, turn, parts.native, parts.reach);
  const hasLitter = await prepareUploads(sites, (text) => events.warn(text), uploads);
  const onFault = (fault: unknown): void => events.error("cannot clear upload directories", fault);
  const clearAgain = (): void => void clearUploadsAgain(sites, uploads).catch(onFault);
  const again = hasLitter ? setTimeout(clearAgain, CLEAR_AGAIN_MS).unref() : undefined;
  // A site that is seldom asked for is within reach before its next request.
  const watch = parts.reach && setInterval(() => checkReach(sites, uploads), REACH_INTERVAL_MS).unref();
  const connections = new Connections(
    { ...connectionParts({ ...parts, uploads }, sites, turn), phase: () => phase },
    settings.server,
  );
  const tls = openTls(parts, choice, connections);
  let ended: Promise<void> = Promise.resolve();
  return {
    backlog: settings.server.backlog,
    reception: ({ kind }) => {
      if (kind === "http") return receivePlain(parts, choice, connections);
      if (kind === "https" && tls !== undefined) {
        return { choice, onAccepted: (transport) => tls.accept(transport) };
      }
      return undefined;
    },
    report: () => ({ connections: connections.count, tls: tls?.counts, tunnels: new Map() }),
    drain: (mode) => {
      if (phase !== "stopping") phase = mode;
      // Connections in a handshake are accepted after it, so drain again.
      ended = Promise.all([tls?.settled(), connections.drain()]).then(() => connections.drain());
      return ended;
    },
    cut: () => {
      const cut = connections.busyCount;
      connections.destroyAll();
      return cut;
    },
    close: async () => {
      // A handler or task that hangs on a dead file system must not hold the server.
      await Promise.race([Promise.all([ended, pool.close()]), wait(CLOSE_TIMEOUT_MS)]);
      connections.close();
      clearInterval(watch);
      clearTimeout(again);
    },
    receive: (message) => {
      if (message.kind === "stored") uploads.heard(message.upload);
      if (message.kind !== "certificates") return;
      const renewed = message.materials.get(HTTPS);
      if (renewed?.side === "server") tls?.renew(renewed.material);
    },
  };
}

/** What is out of reach reports itself. */
function checkReach(sites: Sites, uploads: UploadLedger): void {
  for (const { root } of [sites.main, ...sites.named.values()]) root.state();
  void checkUploads(sites, uploads);
}

function openTls(
  { settings, tls, events, refusals }: SiteParts,
  choice: TransportChoice,
  connections: Connections,
): TlsAcceptor | undefined {
  const each = tls.get(HTTPS);
  if (each?.side !== "server") return undefined;
  return new TlsAcceptor({
    material: each.material,
    rules: httpsRules(settings.server),
    choice,
    maxHandshakes: settings.server.tlsHandshakes,
    isTrustedProxy: settings.server.proxyProtocol ? isTrustedIn(settings.server.trustedProxies) : undefined,
    onSecure: ({ transport }) => connections.accept(transport),
    onFailed: (why, peer) => refusals.add(`TLS handshake with ${peer.address} failed: ${why}`),
    onLeft: (peer) => events.debug(describeLeft(peer)),
    onFault: (fault) => events.error(CONNECTION_FAULT, fault),
  });
}

/** With the PROXY protocol, a connection is accepted when the proxy has named its client. */
function receivePlain(
  { settings, events, refusals }: SiteParts,
  choice: TransportChoice,
  connections: Connections,
): Reception {
  const { proxyProtocol, trustedProxies, headerTimeout } = settings.server;
  if (!proxyProtocol) return { choice, onAccepted: (transport) => connections.accept(transport) };
  const isTrusted = isTrustedIn(trustedProxies);
  const onAccepted = (transport: ByteStream): void => {
    const { peer } = transport;
    openProxied(transport, isTrusted, headerTimeout, {
      onOpen: () => connections.accept(transport),
      onRefused: (why) => refusals.add(`connection from ${peer.address} closed: ${why}`),
      onLeft: () => events.debug(describeLeft(peer)),
      onFault: (fault) => events.error(CONNECTION_FAULT, fault),
    });
  };
  return { choice, onAccepted };
}

function connectionParts(parts: Parts, sites: Sites, turn: LoopTurn): Omit<ConnectionContext, "phase"> {
  const { settings, events } = parts;
  const { trustedProxies } = settings.server;
  const clock = systemClock;
  return {
    service: buildService(parts, sites, turn),
    limits: connectionLimits(settings),
    fieldBlocks: new FieldBlocks(),
    clock,
    buffers: new BufferPool(),
    isTrustedProxy: trustedProxies.length === 0 ? undefined : isTrustedIn(trustedProxies),
    hasWaitingTasks: () => parts.pool.state.waiting > 0,
    trace: traceFor(settings, events),
    events,
    onFault: (fault) => events.error("internal error in a request", fault),
  };
}

function buildService(parts: Parts, sites: Sites, turn: LoopTurn) {
  const { settings, sockets, access, events, refusals, pool, uploads } = parts;
  const clock = systemClock;
  const formatLine = chooseLineFormat(settings.server.logformat);
  const { cacheSize, cacheFile, cacheValid } = settings.server;
  const locating: LocateContext = {
    files: new FileCache({ maxBytes: cacheSize, maxFile: cacheFile, valid: cacheValid }, turn, clock),
    pool,
    listings: new SharedListings(pool, new ListingMemory()),
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
    // Lines for /dev/null are not even formatted.
    record:
      settings.server.logfile === "/dev/null" ? () => undefined : (exchange) => access.record(formatLine(exchange)),
    trace: traceFor(settings, events),
  });
}

function describeTls({ server }: Settings, sockets: readonly ListenSocket[]): TlsPresence | undefined {
  if (server.tlsPort === undefined) return undefined;
  const bound = sockets.find(({ purpose }) => purpose.kind === "https")?.endpoint;
  const port = bound?.kind === "tcp" ? bound.port : server.tlsPort;
  return { port, redirects: server.tlsRedirect, hsts: seconds(Math.floor(server.hsts / 1000)) };
}

/** Undefined below log level debug, so that no text is formatted in vain. */
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
    proxyTimeout: server.proxyTimeout,
    headerTimeout: server.headerTimeout,
    bodyTimeout: server.bodyTimeout,
    bodyRate: server.bodyRate,
    sendTimeout: server.sendTimeout,
  };
}
