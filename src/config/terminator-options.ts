/**
 * The options of a TLS terminator, for `comanche tls` and a section [TLS terminator NAME]: those of stud with its letters
 * and defaults, and those of HTTPS under their own names.
 */
import type { Endpoint } from "../base/endpoint.ts";
import { milliseconds } from "../base/units.ts";
import { formatListenAddress, type ListenAddress, parseListenAddress } from "./listen-address.ts";
import {
  accountName,
  choice,
  duration,
  fault,
  filePath,
  flag,
  found,
  ipRange,
  listOf,
  orNo,
  rootFolder,
  single,
  tcpPort,
  textLike,
  wholeNumber,
} from "./option-kinds.ts";
import {
  keyOf,
  type Option,
  option,
  type SettingsOf,
  SYSLOG_FACILITIES,
  serverOptions,
  timeLimit,
  unsetOption,
} from "./options.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** What Linux takes for TCP_KEEPIDLE (tcp(7)). */
const MAX_KEEPALIVE = 32_767 * SECOND;

export interface FrontAddress {
  readonly address: Exclude<ListenAddress, { kind: "unix" }>;
  /** 0 lets the system choose a free one. */
  readonly port: number;
}

/** Where a terminator listens, as stud wrote it: `HOST,PORT` or `[HOST]:PORT`. */
export const frontAddress = single<FrontAddress>(
  "HOST,PORT",
  (text, folder) => {
    const words = splitHostPort(text);
    const address = parseListenAddress(words.host);
    const port = tcpPort.parse(words.port, folder);
    return address === undefined || address.kind === "unix" || port.kind === "fault"
      ? fault("HOST,PORT or [HOST]:PORT, such as *,8443 or [::1]:8443")
      : found({ address, port: port.value });
  },
  ({ address, port }) => `${formatListenAddress(address)},${port}`,
);

const backPort = wholeNumber(1, 65535);

/** Where it connects to. */
export const backAddress = single<Endpoint>(
  "HOST,PORT",
  (text, folder) => {
    const whole = parseListenAddress(text);
    if (whole?.kind === "unix") return found(whole);
    const words = splitHostPort(text);
    const address = parseListenAddress(words.host);
    const port = backPort.parse(words.port, folder);
    return (address?.kind !== "ip" && address?.kind !== "name") || port.kind === "fault"
      ? fault("HOST,PORT, [HOST]:PORT or unix:/path, such as 127.0.0.1,8000; * is no address to connect to")
      : found({ kind: "tcp", host: formatListenAddress(address), port: port.value });
  },
  (back) => (back.kind === "unix" ? `unix:${back.path}` : `${back.host},${back.port}`),
);

const everywhere: FrontAddress = { address: { kind: "every" }, port: 8443 };
const localServer: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 8000 };

/** As OpenSSL writes it: names and operators. It looks at the names when it gets them (ciphers(1)). */
const cipherList = textLike(
  "SUITES",
  /^[\w!+:@=,.-]+$/,
  "a list as openssl ciphers takes it, such as ECDHE+AESGCM:!aNULL",
);

/** Of an application protocol (RFC 7301 §6), as far as it is visible ASCII without comma. */
const protocolName = textLike("PROTOCOL", /^[!-+\x2d-~]{1,255}$/, "the name of a protocol, such as h2 or http/1.1");

/** What an option of HTTPS is called here, in fewer words. */
function shared<Value>(row: Option<Value>, help: string): Option<Value> {
  return { ...row, help };
}

const sockets = {
  frontend: option(frontAddress, everywhere, "address and port to listen on; * is every address", { short: "f" }),
  backend: option(backAddress, localServer, "address to connect to, or unix:/path", { short: "b" }),
  client: option(flag, false, "reverse: accept plain connections, use TLS to the backend"),
  backlog: option(wholeNumber(1, 65535), 100, "connections that may wait to be accepted (backlog)", { short: "B" }),
  maxConnections: option(wholeNumber(1, 1_000_000), 10_000, "maximum number of connections"),
};

const encryption = {
  tlsDir: shared(serverOptions.tlsDir, "folder with more PEM files (*.pem)"),
  tlsSniStrict: shared(serverOptions.tlsSniStrict, "refuse an SNI name that matches no file"),
  tlsMinVersion: shared(serverOptions.tlsMinVersion, "minimum TLS version"),
  ciphers: unsetOption(cipherList, "TLS 1.2 ciphers", {
    short: "c",
    defaultInWords: "those with forward secrecy",
  }),
  tlsSuites: shared(serverOptions.tlsSuites, "TLS 1.3 cipher suites"),
  tlsCurves: shared(serverOptions.tlsCurves, "key exchange groups"),
  alpn: option(listOf(protocolName), [], "ALPN protocols, such as h2,http/1.1"),
  tlsTicketKeys: option(listOf(filePath), [], "files of ticket keys that servers share", {
    defaultInWords: "generated at start",
  }),
  tlsClientCa: unsetOption(filePath, "PEM file with the CAs of client certificates"),
  tlsClientVerify: shared(serverOptions.tlsClientVerify, "whether clients need a certificate"),
  tlsHandshakes: shared(serverOptions.tlsHandshakes, "maximum number of handshakes, per process"),
  backendCa: unsetOption(filePath, "with client: PEM file that verifies the backend", { defaultInWords: "unverified" }),
};

const proxies = {
  trustedProxies: option(listOf(ipRange), [], "with proxy-proxy: proxies that are trusted", { defaultInWords: "all" }),
};

const times = {
  keepalive: option(duration(SECOND, MAX_KEEPALIVE), milliseconds(HOUR), "idle time before TCP keepalive probes", {
    short: "k",
  }),
  tlsHandshakeTimeout: shared(serverOptions.tlsHandshakeTimeout, "time limit for a handshake"),
  connectTimeout: timeLimit(10, "time limit for connecting to the backend"),
  idleTimeout: option(orNo(duration(1, DAY)), milliseconds(HOUR), "idle timeout of a tunnel, or no"),
};

const processes = {
  workers: option(wholeNumber(1, 256), 1, "worker processes", { short: "n" }),
  daemon: option(flag, false, "run in the background; implies quiet and syslog"),
  pidfile: unsetOption(filePath, "file for the process ID"),
  grace: option(duration(0, DAY), milliseconds(30 * SECOND), "time limit for open connections at a stop"),
  test: option(flag, false, "check the configuration and exit", { short: "t" }),
};

const rights = {
  chroot: option(rootFolder, undefined, "root directory (chroot); requires user", { short: "r" }),
  user: unsetOption(accountName, "account to run as", { short: "u", defaultInWords: "unchanged" }),
  group: unsetOption(accountName, "group to run as", {
    short: "g",
    defaultInWords: "the user's",
  }),
};

const logs = {
  quiet: option(flag, false, "print only errors", { short: "q" }),
  syslog: option(flag, false, "also send events to syslog", { short: "s" }),
  syslogFacility: option({ ...choice(...SYSLOG_FACILITIES), placeholder: "NAME" }, "daemon", "syslog facility"),
};

/** What one terminator does. */
export const terminatorOptions = { ...sockets, ...encryption, ...times, ...proxies };

/** On the command line they need no flag. */
export const PEM_KEY = "pem";
export const pemOption = option(listOf(filePath), [], "PEM files, each with certificate, chain and key");

/** How its processes live. */
export const terminatorProcessOptions = { ...processes, ...rights, ...logs };

export type TerminatorProcessSettings = SettingsOf<typeof terminatorProcessOptions>;

/** All of them, in the order of the help. */
export const TERMINATOR_HEADINGS: readonly (readonly [string, Readonly<Record<string, Option<unknown>>>])[] = [
  ["Listening and backend", sockets],
  ["TLS", encryption],
  ["Behind another proxy", proxies],
  ["Times", times],
  ["Processes", processes],
  ["Rights", rights],
  ["Logs", logs],
];

/** What the backend gets ahead of the client's first byte. At most one of them. */
export const ANNOUNCEMENTS = [
  { key: "write-ip", announces: "ip", help: "one octet for the address family, then the address" },
  { key: "write-proxy", announces: "proxy-v1", help: "a PROXY header, version 1 (text)" },
  { key: "write-proxy-v2", announces: "proxy-v2", help: "a PROXY header, version 2 (binary, with TLS details)" },
  { key: "proxy-proxy", announces: "passed-on", help: "the PROXY header that arrives before the handshake" },
] as const;

export type Announcement = "nothing" | (typeof ANNOUNCEMENTS)[number]["announces"];

/** Every key that a section [TLS terminator NAME] may have. */
export const TERMINATOR_KEYS: ReadonlySet<string> = new Set([
  PEM_KEY,
  ...Object.keys(terminatorOptions).map(keyOf),
  ...ANNOUNCEMENTS.map(({ key }) => key),
]);

/** What stud had, and what became of it. */
export interface StudOption {
  /** The first is stud's own name. */
  readonly keys: readonly [string, ...string[]];
  readonly short?: string;
  /** Stands for the value; undefined where there was none. */
  readonly placeholder?: string;
  /** `ignored`: taken, and this is noted. `refused`: the user would not get what the option promises. */
  readonly fate: "ignored" | "refused";
  readonly sentence: string;
}

const NO_CACHE = "there is no session cache: sessions resume by tickets, which every worker accepts";
const NO_PEERS = "sessions are not sent to other servers: give each server the same --tls-ticket-keys";

export const STUD_OPTIONS: readonly StudOption[] = [
  { keys: ["shared-cache", "session-cache"], short: "C", placeholder: "NUM", fate: "ignored", sentence: NO_CACHE },
  { keys: ["shared-cache-listen"], short: "U", placeholder: "HOST,PORT", fate: "ignored", sentence: NO_PEERS },
  { keys: ["shared-cache-peer"], short: "P", placeholder: "HOST,PORT", fate: "ignored", sentence: NO_PEERS },
  { keys: ["shared-cache-if"], short: "M", placeholder: "IFACE[,TTL]", fate: "ignored", sentence: NO_PEERS },
  {
    keys: ["prefer-server-ciphers"],
    short: "O",
    fate: "ignored",
    sentence: "the server's cipher order always takes precedence",
  },
  { keys: ["tls"], fate: "ignored", sentence: "TLS 1.2 and 1.3 are always on, and no other version is supported" },
  {
    keys: ["ssl"],
    fate: "refused",
    sentence: "SSL 3.0 is insecure (RFC 7568) and not supported: leave it out to use TLS 1.2 and 1.3",
  },
  {
    keys: ["ssl-engine"],
    short: "e",
    placeholder: "ENGINE",
    fate: "refused",
    sentence: "OpenSSL 3 deprecates engines, and none is loaded: put the keys into PEM files",
  },
  {
    keys: ["config"],
    placeholder: "FILE",
    fate: "refused",
    sentence: "stud's configuration file is not supported: use flags",
  },
  {
    keys: ["default-config"],
    fate: "refused",
    sentence: "there is no default configuration file: --help lists every default",
  },
  {
    keys: ["tcp-user-timeout"],
    placeholder: "MSECS",
    fate: "refused",
    sentence: "Node cannot set TCP_USER_TIMEOUT: use --idle-timeout, which closes idle tunnels",
  },
  {
    keys: ["write-xff"],
    fate: "refused",
    sentence: "the terminator does not parse HTTP and cannot add a field: use --write-proxy or --write-proxy-v2",
  },
];

/** Both are empty, which is neither a host nor a port, when `text` has another form. */
function splitHostPort(text: string): { readonly host: string; readonly port: string } {
  const match = /^\[([^[\]]+)\]:([0-9]+)$/.exec(text) ?? /^([^,]+),([0-9]+)$/.exec(text);
  const [, host = "", port = ""] = match ?? [];
  return { host, port };
}
