/**
 * What is said of terminators: at the start, by `status`, and when somebody asks how busy they are.
 */
import { formatEndpoint } from "../base/endpoint.ts";
import { formatHumanSize } from "../base/human-size.ts";
import { bytes } from "../base/units.ts";
import type { Settings } from "../config/settings.ts";
import { backAddress } from "../config/terminator-address.ts";
import type { ServedEndpoint } from "../transport/listen-socket.ts";
import type { TunnelCounts } from "../tunnel/tunnels.ts";

type Terminators = Settings["terminators"];

/** `ends TLS at 127.0.0.1:8443 for 127.0.0.1,8000`, one line each. */
export function describeTerminators(terminators: Terminators, served: readonly ServedEndpoint[]): readonly string[] {
  return [...terminators].map(([name, { client, backend }]) => {
    const places = served.flatMap(({ endpoint, purpose }) =>
      purpose.kind === "terminator" && purpose.name === name ? [formatEndpoint(endpoint)] : [],
    );
    return `${client ? "starts" : "ends"} TLS at ${places.join(" ")} for ${backAddress.format(backend)}`;
  });
}

/** Whoever sits between could read everything. */
export function describeUnverified(terminators: Terminators): readonly string[] {
  return [...terminators.values()].flatMap(({ client, backendCa, backend }) =>
    client && backendCa === undefined
      ? [`nobody verifies that ${backAddress.format(backend)} is the backend: set backend-ca`]
      : [],
  );
}

/** Of all processes together. */
export function sumTunnels(all: readonly ReadonlyMap<string, TunnelCounts>[]): ReadonlyMap<string, TunnelCounts> {
  const sums = new Map<string, TunnelCounts>();
  for (const counts of all) {
    for (const [name, one] of counts) sums.set(name, addTunnels(sums.get(name), one));
  }
  return sums;
}

function addTunnels(sum: TunnelCounts | undefined, one: TunnelCounts): TunnelCounts {
  if (sum === undefined) return one;
  return {
    open: sum.open + one.open,
    opened: sum.opened + one.opened,
    unreached: sum.unreached + one.unreached,
    fromClients: bytes(sum.fromClients + one.fromClients),
    fromBackend: bytes(sum.fromBackend + one.fromBackend),
  };
}

/** `TLS terminator shop: 3 connections, 120 so far, 2 times no backend, 1.2 MiB from clients, 80 MiB from the backend`. */
export function formatTunnels(
  name: string,
  { open, opened, unreached, fromClients, fromBackend }: TunnelCounts,
): string {
  const parts = [
    `${open} ${open === 1 ? "connection" : "connections"}`,
    `${opened} so far`,
    `${unreached} ${unreached === 1 ? "time" : "times"} no backend`,
    `${formatHumanSize(fromClients)} from clients`,
    `${formatHumanSize(fromBackend)} from the backend`,
  ];
  return `TLS terminator ${name}: ${parts.join(", ")}`;
}
