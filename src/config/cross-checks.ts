/**
 * Settings that are well written one by one and cannot hold together.
 */
import { didYouMean, type Fault } from "./fault.ts";
import { type Conflict, faultsAt, type Layer } from "./layer.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { formatSize } from "./option-kinds.ts";
import { optionsByKey, type Situation, serverOptions } from "./options.ts";
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
  const { server } = settings;
  const found = [
    checkDefaultHost(settings),
    checkCache(settings),
    checkAddresses(server.address),
    checkPurpose(settings),
    ...checkTls(server, layer),
    checkProxies(server),
    checkChroot(server),
    checkProcesses(server),
    checkSyslogFacility(server, situation),
    checkSocketMode(server, situation),
  ];
  return faultsAt(found, layer, unreadable);
}

/** With `virthost` any folder may be a host; without it only the sections are, and the default must be one of them. */
function checkDefaultHost({ server, virtualHosts }: Settings): Conflict | undefined {
  const { defaultHost, virthost } = server;
  if (defaultHost === undefined || virthost || virtualHosts.has(defaultHost)) return undefined;
  const keys = ["default-host", "virthost"];
  if (virtualHosts.size === 0) {
    return { keys, problem: "there are no virtual hosts: expected virthost = yes, or a section [Virtual host NAME]" };
  }
  const suggestion = didYouMean(defaultHost, virtualHosts.keys());
  return {
    keys,
    problem: `expected the name of one of the sections [Virtual host NAME], or virthost = yes${suggestion}`,
  };
}

function checkCache({ server }: Settings): Conflict | undefined {
  const { cacheFile, cacheSize } = server;
  if (cacheSize === 0 || cacheFile <= cacheSize) return undefined;
  const sizes = `cache-file (${formatSize(cacheFile)}) is larger than cache-size (${formatSize(cacheSize)})`;
  return { keys: ["cache-file", "cache-size"], problem: `${sizes}: expected it to be smaller, or cache-size = 0` };
}

function checkAddresses(addresses: readonly ListenAddress[]): Conflict | undefined {
  const keys = ["address"];
  const texts = addresses.map(formatListenAddress);
  const repeated = texts.find((text, index) => texts.indexOf(text) !== index);
  if (repeated !== undefined) return { keys, problem: `${repeated} is there twice: expected each address once` };
  const onTcp = addresses.filter((address) => address.kind !== "unix");
  const hasEvery = onTcp.some((address) => address.kind === "every");
  if (!hasEvery || onTcp.length === 1) return undefined;
  return { keys, problem: "* is every address: expected no other beside it but unix:/path" };
}

function checkPurpose({ server, terminators }: Settings): Conflict | undefined {
  if (server.address.length > 0 || terminators.size > 0) return undefined;
  return {
    keys: ["address"],
    problem: "leaves nothing to do: expected a section [TLS terminator NAME], or an address",
  };
}

const TLS_KEYS = [
  "tls-cert",
  "tls-key",
  "tls-dir",
  "tls-sni-strict",
  "tls-min-version",
  "tls-ciphers",
  "tls-suites",
  "tls-curves",
  "tls-ticket-keys",
  "tls-client-ca",
  "tls-client-verify",
  "tls-handshake-timeout",
  "tls-handshakes",
  "tls-redirect",
  "hsts",
] as const;

/** A setting that has no effect misleads; but one that says what is so anyway misleads nobody. */
function checkTls(server: ServerSettings, layer: Layer): readonly (Conflict | undefined)[] {
  const { tlsPort, tlsCert, tlsKey, tlsDir, tlsClientCa, tlsClientVerify, tlsRedirect, hsts, address, port } = server;
  if (tlsPort === undefined) {
    const idle = TLS_KEYS.filter((key) => layer.has(key) && !isDefault(key, layer));
    return idle.map((key) => ({ keys: [key, "tls-port"], problem: "has no effect without tls-port" }));
  }
  const isOnTcp = address.some(({ kind }) => kind !== "unix");
  return [
    tlsCert.length === 0 && tlsDir === undefined
      ? { keys: ["tls-port", "tls-cert"], problem: "needs a certificate: expected tls-cert or tls-dir" }
      : undefined,
    tlsKey !== undefined && (tlsCert.length !== 1 || tlsDir !== undefined)
      ? {
          keys: ["tls-key"],
          problem: "expected just one file in tls-cert and no tls-dir: the others have their keys with them",
        }
      : undefined,
    !isOnTcp
      ? { keys: ["tls-port", "address"], problem: "has no effect without an address that is no Unix socket" }
      : undefined,
    tlsPort === port && tlsPort !== 0
      ? { keys: ["tls-port", "port"], problem: "is the same as port: expected another" }
      : undefined,
    tlsClientCa === undefined && tlsClientVerify !== "require"
      ? { keys: ["tls-client-verify"], problem: "has no effect without tls-client-ca" }
      : undefined,
    hsts > 0 && !tlsRedirect
      ? {
          keys: ["hsts", "tls-redirect"],
          problem: "expected tls-redirect = yes: over plain HTTP it would mean nothing",
        }
      : undefined,
  ];
}

function checkProxies({ proxyProtocol, trustedProxies }: ServerSettings): Conflict | undefined {
  if (!proxyProtocol || trustedProxies.length > 0) return undefined;
  return {
    keys: ["proxy-protocol"],
    problem: "would cut every connection: expected trusted-proxies to name who is believed",
  };
}

/** Whether an entry only says what holds without it. */
function isDefault(key: string, layer: Layer): boolean {
  const entry = layer.get(key);
  const option = optionsByKey.get(key)?.option;
  if (entry === undefined || option === undefined) return true;
  const parsed = option.kind.parse(entry.text, entry.folder);
  const byDefault = option.defaultFor({ isRoot: false, htdocs: entry.folder });
  return parsed.kind === "value" && option.kind.format(parsed.value) === option.kind.format(byDefault);
}

/** Whoever stays root can leave a chroot again, so it would hold nobody. */
export function checkChroot({ chroot, user }: Pick<ServerSettings, "chroot" | "user">): Conflict | undefined {
  if (chroot === undefined) return undefined;
  const isHeld = user !== undefined && user !== "root" && !/^0+$/.test(user);
  if (isHeld) return undefined;
  const keys = ["chroot", "user"];
  return { keys, problem: "expected user to be set too, and not to root, who can leave a chroot" };
}

/** `auto` is never too many. Threads and connections of these limits are for sites alone. */
function checkProcesses({ processes, workers, maxConnections, address }: ServerSettings): Conflict | undefined {
  if (processes === "auto" || address.length === 0) return undefined;
  if (processes > workers) {
    const counts = `processes (${processes}) is more than workers (${workers})`;
    return { keys: ["processes", "workers"], problem: `${counts}: each process needs a thread of its own` };
  }
  if (processes <= maxConnections) return undefined;
  const counts = `processes (${processes}) is more than max-connections (${maxConnections})`;
  return { keys: ["processes", "max-connections"], problem: `${counts}: each process needs a connection to answer` };
}

// A value that is the default, written down, misleads nobody: the shipped file has them all.
function checkSyslogFacility({ syslog, syslogFacility }: ServerSettings, situation: Situation): Conflict | undefined {
  if (syslog || syslogFacility === serverOptions.syslogFacility.defaultFor(situation)) return undefined;
  return { keys: ["syslog-facility", "syslog"], problem: "has no effect without syslog: expected syslog = yes" };
}

function checkSocketMode({ address, socketMode }: ServerSettings, situation: Situation): Conflict | undefined {
  const hasUnixSocket = address.some(({ kind }) => kind === "unix");
  if (hasUnixSocket || socketMode === serverOptions.socketMode.defaultFor(situation)) return undefined;
  return {
    keys: ["socket-mode", "address"],
    problem: "has no effect without a Unix socket: expected address = unix:/path",
  };
}
