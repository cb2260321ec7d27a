/**
 * Settings that are well written one by one and cannot hold together.
 */
import { didYouMean, type Fault } from "./fault.ts";
import { type Check, faultsAt, type Layer } from "./layer.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { formatSize } from "./option-kinds.ts";
import { httpsOptions, keyOf, optionsByKey, type Situation, serverOptions } from "./options.ts";
import type { ServerSettings, Settings } from "./settings.ts";

export interface CrossCheckInput {
  readonly settings: Settings;
  /** What flags and file say of the server and of the main site. */
  readonly layer: Layer;
  readonly situation: Situation;
  /** Keys whose values are faults already, so that nothing can be said of what they contradict. */
  readonly unreadable: ReadonlySet<string>;
}

export function crossCheck({ settings, layer, situation, unreadable }: CrossCheckInput): readonly Fault[] {
  const { server, terminators } = settings;
  const { address, cacheFile, cacheSize, proxyProtocol, trustedProxies, syslog, syslogFacility, socketMode } = server;
  const sizes = `cache-file (${formatSize(cacheFile)}) is larger than cache-size (${formatSize(cacheSize)})`;
  const hasUnixSocket = address.some(({ kind }) => kind === "unix");
  const checks: readonly Check[] = [
    checkDefaultHost(settings),
    [
      cacheSize > 0 && cacheFile > cacheSize,
      ["cache-file", "cache-size"],
      `${sizes}: expected it to be smaller, or cache-size = 0`,
    ],
    ...checkAddresses(address),
    [
      address.length === 0 && terminators.size === 0,
      ["address"],
      "leaves nothing to serve: expected a section [TLS terminator NAME], or an address",
    ],
    ...checkTls(server, layer),
    [
      proxyProtocol && trustedProxies.length === 0,
      ["proxy-protocol"],
      "would close every connection: expected trusted-proxies to name the proxies",
    ],
    checkChroot(server),
    ...checkProcesses(server),
    // A value that is the default, written down, misleads no reader: the shipped file has them all.
    [
      !syslog && syslogFacility !== serverOptions.syslogFacility.defaultFor(situation),
      ["syslog-facility", "syslog"],
      "has no effect without syslog: expected syslog = yes",
    ],
    [
      !hasUnixSocket && socketMode !== serverOptions.socketMode.defaultFor(situation),
      ["socket-mode", "address"],
      "has no effect without a Unix socket: expected address = unix:/path",
    ],
  ];
  return faultsAt(checks, layer, unreadable);
}

/** With `virthost` any folder may be a host; without it only the sections are, and the default must be one of them. */
function checkDefaultHost({ server, virtualHosts }: Settings): Check {
  const { defaultHost = "", virthost } = server;
  return [
    defaultHost !== "" && !virthost && !virtualHosts.has(defaultHost),
    ["default-host", "virthost"],
    virtualHosts.size === 0
      ? "there are no virtual hosts: expected virthost = yes, or a section [Virtual host NAME]"
      : `expected the name of one of the sections [Virtual host NAME], or virthost = yes${didYouMean(defaultHost, virtualHosts.keys())}`,
  ];
}

function checkAddresses(addresses: readonly ListenAddress[]): readonly Check[] {
  const texts = addresses.map(formatListenAddress);
  const repeated = texts.find((text, index) => texts.indexOf(text) !== index);
  const onTcp = addresses.filter(({ kind }) => kind !== "unix");
  const hasOthers = onTcp.length > 1 && onTcp.some(({ kind }) => kind === "every");
  return [
    [repeated !== undefined, ["address"], `${repeated} is given twice: expected each address once`],
    [
      repeated === undefined && hasOthers,
      ["address"],
      "* is every address: expected no further address, except unix:/path",
    ],
  ];
}

const HTTPS_KEYS = Object.keys(httpsOptions)
  .map(keyOf)
  .filter((key) => key !== "tls-port");

/** A setting that has no effect misleads; but one that says what is so anyway does not. */
function checkTls(server: ServerSettings, layer: Layer): readonly Check[] {
  const { tlsPort, tlsCert, tlsKey, tlsDir, tlsClientCa, tlsClientVerify, tlsRedirect, hsts, address, port } = server;
  if (tlsPort === undefined) {
    return HTTPS_KEYS.map((key) => [!isDefault(key, layer), [key, "tls-port"], "has no effect without tls-port"]);
  }
  return [
    [
      tlsCert.length === 0 && tlsDir === undefined,
      ["tls-port", "tls-cert"],
      "needs a certificate: expected tls-cert or tls-dir",
    ],
    [
      tlsKey !== undefined && (tlsCert.length !== 1 || tlsDir !== undefined),
      ["tls-key"],
      "expected exactly one file in tls-cert and no tls-dir: several files must contain their own keys",
    ],
    [
      address.every(({ kind }) => kind === "unix"),
      ["tls-port", "address"],
      "has no effect if every address is a Unix socket",
    ],
    [tlsPort === port && tlsPort !== 0, ["tls-port", "port"], "is the same as port: expected another number"],
    [
      tlsClientCa === undefined && tlsClientVerify !== "require",
      ["tls-client-verify"],
      "has no effect without tls-client-ca",
    ],
    [
      hsts > 0 && !tlsRedirect,
      ["hsts", "tls-redirect"],
      "expected tls-redirect = yes: browsers ignore Strict-Transport-Security over HTTP",
    ],
  ];
}

/** Whether an entry, if there is one, only says what holds without it. */
function isDefault(key: string, layer: Layer): boolean {
  const entry = layer.get(key);
  const option = optionsByKey.get(key)?.option;
  if (entry === undefined || option === undefined) return true;
  const parsed = option.kind.parse(entry.text, entry.folder);
  const byDefault = option.defaultFor({ isRoot: false, htdocs: entry.folder });
  return parsed.kind === "value" && option.kind.format(parsed.value) === option.kind.format(byDefault);
}

/** Root can leave a chroot again, so it would be no limit. */
export function checkChroot({ chroot, user }: Pick<ServerSettings, "chroot" | "user">): Check {
  const staysRoot = user === undefined || user === "root" || /^0+$/.test(user);
  const problem = "expected user to name an unprivileged account: root can leave a chroot";
  return [chroot !== undefined && staysRoot, ["chroot", "user"], problem];
}

/** `auto` is never too many. Threads and connections of these limits are for sites alone. */
function checkProcesses({ processes, workers, maxConnections, address }: ServerSettings): readonly Check[] {
  if (processes === "auto" || address.length === 0) return [];
  const ofThreads = `processes (${processes}) is more than workers (${workers})`;
  const ofConnections = `processes (${processes}) is more than max-connections (${maxConnections})`;
  return [
    [processes > workers, ["processes", "workers"], `${ofThreads}: each process needs a thread of its own`],
    [
      processes <= workers && processes > maxConnections,
      ["processes", "max-connections"],
      `${ofConnections}: each process needs at least one connection`,
    ],
  ];
}
