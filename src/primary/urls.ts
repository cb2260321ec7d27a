/**
 * The addresses one can open in a browser for what is bound.
 */
import type { NetworkInterfaceInfo } from "node:os";
import { formatEndpoint } from "../base/endpoint.ts";
import type { Purpose, ServedEndpoint } from "../transport/listen-socket.ts";

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * One line for each address of a site; who ends TLS for others is no place for a browser. A socket bound to every address
 * is reachable by each that the machine has.
 */
export function urlsFor(served: readonly ServedEndpoint[], interfaces: Interfaces): readonly string[] {
  const urls = served.flatMap(({ endpoint, purpose }) => {
    if (purpose.kind === "terminator") return [];
    if (endpoint.kind === "unix") return [formatEndpoint(endpoint)];
    return hostsFor(endpoint.host, interfaces).map((host) => formatUrl(host, endpoint.port, purpose));
  });
  return [...new Set(urls)];
}

function hostsFor(host: string, interfaces: Interfaces): readonly string[] {
  if (host === "0.0.0.0") return ["127.0.0.1", ...addressesOf("IPv4", interfaces)];
  if (host === "::") return ["::1", ...addressesOf("IPv6", interfaces)];
  return [host];
}

/** Link-local addresses are left out: they need a zone, which no URL carries. */
function addressesOf(family: "IPv4" | "IPv6", interfaces: Interfaces): readonly string[] {
  return Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === family && !address.internal && !address.address.startsWith("fe80:"))
    .map(({ address }) => address);
}

function formatUrl(host: string, port: number, { kind }: Purpose): string {
  const name = host.includes(":") ? `[${host}]` : host;
  const [scheme, usualPort] = kind === "https" ? ["https", 443] : ["http", 80];
  return port === usualPort ? `${scheme}://${name}/` : `${scheme}://${name}:${port}/`;
}
