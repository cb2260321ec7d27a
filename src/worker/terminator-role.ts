/** The role of a TLS terminator: builds a `Terminator` from settings and key material. */
import { systemClock } from "../base/clock.ts";
import type { Endpoint } from "../base/endpoint.ts";
import { isTrustedIn } from "../base/ip-range.ts";
import { milliseconds } from "../base/units.ts";
import { isBackendName } from "../config/listen-address.ts";
import type { TerminatorSettings } from "../config/terminator-settings.ts";
import type { Events } from "../observe/log.ts";
import type { RefusalReport } from "../observe/refusal-report.ts";
import { clientContext } from "../tls/tls-context.ts";
import type { ClientMaterial, SideMaterial } from "../tls/tls-identity.ts";
import { terminatorRules } from "../tls/tls-specs.ts";
import { formatPurpose } from "../transport/endpoint.ts";
import type { TransportChoice } from "../transport/transport-choice.ts";
import type { BackendTls } from "../tunnel/backend.ts";
import { Terminator, type TerminatorSide } from "../tunnel/terminator.ts";
import { CONNECTION_FAULT, describeLeft, type Role } from "./role.ts";

const NEVER = milliseconds(Number.POSITIVE_INFINITY);

/** @throws OpenSSL's error for the material or the rules */
export function openTerminatorRole(
  name: string,
  settings: TerminatorSettings,
  material: SideMaterial,
  places: readonly Endpoint[],
  choice: TransportChoice,
  refusals: RefusalReport,
  events: Events,
): Role {
  const purpose = { kind: "terminator", name } as const;
  const user = formatPurpose(purpose);
  const { trustedProxies } = settings;
  const terminator = new Terminator({
    side: sideOf(settings, material),
    places,
    preamble: settings.announcement,
    isTrustedProxy: trustedProxies.length === 0 ? () => true : isTrustedIn(trustedProxies),
    maxConnections: settings.maxConnections,
    keepalive: settings.keepalive,
    connectTimeout: settings.connectTimeout,
    headerTimeout: settings.tlsHandshakeTimeout,
    idleTimeout: settings.idleTimeout ?? NEVER,
    clock: systemClock,
    choice,
    onRefused: (why, peer) => refusals.add(`connection from ${peer.address} closed: ${why}`),
    onLeft: (peer) => events.debug(describeLeft(peer)),
    onFault: (fault) => events.error(CONNECTION_FAULT, fault),
  });
  return {
    backlog: settings.backlog,
    reception: (wanted) =>
      formatPurpose(wanted) === user ? { choice, onAccepted: (stream) => terminator.accept(stream) } : undefined,
    report: () => {
      const tunnels = terminator.counts;
      return { connections: tunnels.open, tls: terminator.handshakes, tunnels: new Map([[name, tunnels]]) };
    },
    drain: (mode) => terminator.drain(mode === "stopping"),
    cut: () => {
      const { open } = terminator.counts;
      terminator.destroyAll();
      return open;
    },
    close: async () => terminator.close(),
    receive: (message) => {
      const moved = message.kind === "backends" ? message.backends.get(name) : undefined;
      if (moved !== undefined) terminator.moveBackends(moved);
      const renewed = message.kind === "certificates" ? message.materials.get(user) : undefined;
      if (renewed?.side === "server") terminator.renew(renewed.material);
      if (renewed?.side === "client") terminator.renewBackend(backendTls(settings, renewed.material));
    },
  };
}

function sideOf(settings: TerminatorSettings, each: SideMaterial): TerminatorSide {
  if (each.side === "client") return { kind: "back", tls: backendTls(settings, each.material) };
  return {
    kind: "front",
    material: each.material,
    rules: terminatorRules(settings),
    maxHandshakes: settings.tlsHandshakes,
  };
}

function backendTls(settings: TerminatorSettings, material: ClientMaterial): BackendTls {
  const { backend, alpn } = settings;
  return {
    context: clientContext(material, terminatorRules(settings)),
    name: backend.kind === "tcp" && isBackendName(backend.host) ? backend.host : undefined,
    isVerified: material.authorities !== undefined,
    alpn,
  };
}
