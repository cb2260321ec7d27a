/** The lines that the server reports at its start: where it can be reached, what it does, what should be changed. */
import type { NetworkInterfaceInfo } from "node:os";
import { formatEndpoint } from "../base/endpoint.ts";
import { type Settings, servesSites } from "../config/settings.ts";
import { backAddress } from "../config/terminator-options.ts";
import type { Purpose, ServedEndpoint } from "../transport/endpoint.ts";

export interface Served {
  readonly settings: Settings;
  readonly logs: { readonly accessName: string; readonly notices: readonly string[] };
  readonly processes: number;
  /** URLs of the sites. */
  readonly urls: readonly string[];
  readonly terminators: readonly string[];
  readonly notices: readonly string[];
  readonly warnings: readonly string[];
}

export interface StartFacts {
  readonly version: string;
  readonly config: Served;
  /** Known before the start. */
  readonly notices: readonly string[];
}

export interface StartLines {
  readonly info: readonly string[];
  readonly warnings: readonly string[];
}

export function describeStart({ version, config, notices }: StartFacts): StartLines {
  const { settings, logs, processes } = config;
  const { upload } = settings.main;
  const hasSites = servesSites(settings);
  const [first, ...others] = describeService(config);
  const crew = processes === 1 ? "1 worker process" : `${processes} worker processes`;
  const accessLog = hasSites ? `, access log ${logs.accessName}` : "";
  const info = [
    `Comanche ${version} ${first}`,
    ...others,
    `PID ${process.pid} with ${crew}${accessLog}, configuration ${settings.configFile ?? "none"}`,
    hasSites && upload !== undefined ? `takes JSON uploads at ${upload} (upload = no: none)` : undefined,
    ...notices,
    ...logs.notices,
    ...config.notices,
  ];
  return { info: info.filter((line) => line !== undefined), warnings: config.warnings };
}

function describeService({ settings, urls, terminators }: Served): readonly string[] {
  if (!servesSites(settings)) return terminators;
  const inside = settings.server.chroot === undefined ? "" : ` in ${settings.server.chroot}`;
  return [`serves ${settings.main.docbase}${inside} at ${urls.join(" ")}`, ...terminators];
}

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** One line for each address of a site, none for terminators. A wildcard becomes every address of the machine. */
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

/** Without link-local addresses: they need a zone, which no URL carries. */
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

/** A man in the middle could read everything. */
export function describeUnverified(terminators: Terminators): readonly string[] {
  return [...terminators.values()].flatMap(({ client, backendCa, backend }) =>
    client && backendCa === undefined
      ? [`the certificate of backend ${backAddress.format(backend)} is not verified: set backend-ca`]
      : [],
  );
}
