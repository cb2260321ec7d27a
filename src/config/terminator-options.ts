/**
 * The options of a TLS terminator, on the command line of `comanche tls` and in a section [TLS terminator NAME]: those of
 * stud, with its letters and defaults, and those of HTTPS under the names that they have there.
 */
import type { Endpoint } from "../base/endpoint.ts";
import { milliseconds } from "../base/units.ts";
import {
  accountName,
  choice,
  duration,
  filePath,
  flag,
  ipRange,
  listOf,
  type OptionKind,
  optional,
  orNo,
  rootFolder,
  wholeNumber,
} from "./option-kinds.ts";
import { keyOf, type Option, type SettingsOf, SYSLOG_FACILITIES, serverOptions } from "./options.ts";
import { backAddress, type FrontAddress, frontAddress } from "./terminator-address.ts";

function option<Value>(
  kind: OptionKind<Value>,
  byDefault: Value,
  help: string,
  extras: Pick<Option<unknown>, "short" | "defaultInWords"> = {},
): Option<Value> {
  return { kind, defaultFor: () => byDefault, help, ...extras };
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** What Linux takes for TCP_KEEPIDLE (tcp(7)). */
const MAX_KEEPALIVE = 32_767 * SECOND;

const everywhere: FrontAddress = { address: { kind: "every" }, port: 8443 };
const localServer: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 8000 };

/** As OpenSSL writes it: names and operators. It looks at the names when it gets them (ciphers(1)). */
const cipherList: OptionKind<string> = {
  shape: "single",
  placeholder: "SUITES",
  parse: (text) =>
    /^[\w!+:@=,.-]+$/.test(text)
      ? { kind: "value", value: text }
      : { kind: "fault", expects: "a list as openssl ciphers takes it, such as ECDHE+AESGCM:!aNULL" },
  format: (text) => text,
};

/** Of an application protocol (RFC 7301 §6), as far as it is visible ASCII without comma. */
const protocolName: OptionKind<string> = {
  shape: "single",
  placeholder: "PROTOCOL",
  parse: (text) =>
    /^[!-+\x2d-~]{1,255}$/.test(text)
      ? { kind: "value", value: text }
      : { kind: "fault", expects: "the name of a protocol, such as h2 or http/1.1" },
  format: (text) => text,
};

/** What an option of HTTPS is called here, in fewer words. */
function shared<Value>(row: Option<Value>, help: string): Option<Value> {
  return { ...row, help };
}

const sockets = {
  frontend: option(frontAddress, everywhere, "where it listens; * is every address, port 0 a free one", { short: "f" }),
  backend: option(backAddress, localServer, "where it connects to, or unix:/path", { short: "b" }),
  client: option(flag, false, "the other way round: plain bytes come in, and the backend speaks TLS"),
  backlog: option(wholeNumber(1, 65535), 100, "connections that may wait to be accepted", { short: "B" }),
  maxConnections: option(wholeNumber(1, 1_000_000), 10_000, "most connections at a time"),
};

const encryption = {
  tlsDir: shared(serverOptions.tlsDir, "folder with more PEM files, *.pem"),
  tlsSniStrict: shared(serverOptions.tlsSniStrict, "cut who asks for a name that no file is for"),
  tlsMinVersion: shared(serverOptions.tlsMinVersion, "oldest version that is spoken"),
  ciphers: option(optional(cipherList), undefined, "ciphers of TLS 1.2", {
    short: "c",
    defaultInWords: "those with forward secrecy",
  }),
  tlsSuites: shared(serverOptions.tlsSuites, "cipher suites of TLS 1.3"),
  tlsCurves: shared(serverOptions.tlsCurves, "groups for the key exchange"),
  alpn: option(listOf(protocolName), [], "application protocols to agree on, such as h2,http/1.1", {
    defaultInWords: "none",
  }),
  tlsTicketKeys: option(optional(filePath), undefined, "ticket keys, for machines that share them", {
    defaultInWords: "made at start",
  }),
  tlsClientCa: option(optional(filePath), undefined, "PEM file: who may sign certificates of clients", {
    defaultInWords: "none",
  }),
  tlsClientVerify: shared(serverOptions.tlsClientVerify, "whether a client must show one"),
  tlsHandshakes: shared(serverOptions.tlsHandshakes, "most handshakes at a time, in each process"),
  backendCa: option(optional(filePath), undefined, "with client: PEM file that verifies the backend", {
    defaultInWords: "unverified",
  }),
};

const proxies = {
  trustedProxies: option(listOf(ipRange), [], "with proxy-proxy: who may say for whom it comes", {
    defaultInWords: "all",
  }),
};

const times = {
  keepalive: option(
    duration(SECOND, MAX_KEEPALIVE),
    milliseconds(HOUR),
    "silence after which TCP asks for the client",
    {
      short: "k",
    },
  ),
  tlsHandshakeTimeout: shared(serverOptions.tlsHandshakeTimeout, "time allowed for a handshake"),
  connectTimeout: option(duration(1, DAY), milliseconds(10 * SECOND), "time allowed for reaching the backend"),
  idleTimeout: option(orNo(duration(1, DAY)), milliseconds(HOUR), "time in which something has to move, or no"),
};

const processes = {
  workers: option(wholeNumber(1, 256), 1, "processes that accept connections", { short: "n" }),
  daemon: option(flag, false, "run in the background; implies quiet and syslog"),
  pidfile: option(optional(filePath), undefined, "file that holds the process id", { defaultInWords: "none" }),
  grace: option(duration(0, DAY), milliseconds(30 * SECOND), "time that busy connections have at a stop"),
  test: option(flag, false, "try the configuration, and leave", { short: "t" }),
};

const rights = {
  chroot: option(rootFolder, undefined, "folder that becomes their root; needs user", {
    short: "r",
    defaultInWords: "none",
  }),
  user: option(optional(accountName), undefined, "user that they run as", { short: "u", defaultInWords: "unchanged" }),
  group: option(optional(accountName), undefined, "group that they run as", {
    short: "g",
    defaultInWords: "the user's",
  }),
};

const logs = {
  quiet: option(flag, false, "print errors only", { short: "q" }),
  syslog: option(flag, false, "send events to syslog too", { short: "s" }),
  syslogFacility: option({ ...choice(...SYSLOG_FACILITIES), placeholder: "NAME" }, "daemon", "as what syslog has them"),
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
  ["Where it listens, and for whom", sockets],
  ["TLS", encryption],
  ["Behind another proxy", proxies],
  ["Times", times],
  ["Processes", processes],
  ["Rights", rights],
  ["Logs", logs],
];

/** What the backend gets ahead of the client's first byte. At most one of them. */
export const ANNOUNCEMENTS = [
  { key: "write-ip", announces: "ip", help: "one octet for the family and the client's address" },
  { key: "write-proxy", announces: "proxy-v1", help: "the client's address in a PROXY line (version 1)" },
  { key: "write-proxy-v2", announces: "proxy-v2", help: "the same, binary, with facts about TLS (version 2)" },
  { key: "proxy-proxy", announces: "passed-on", help: "the PROXY header that comes ahead of the handshake" },
] as const;

export type Announcement = "nothing" | (typeof ANNOUNCEMENTS)[number]["announces"];

/** Every key that a section [TLS terminator NAME] may have. */
export const TERMINATOR_KEYS: ReadonlySet<string> = new Set([
  PEM_KEY,
  ...Object.keys(terminatorOptions).map(keyOf),
  ...ANNOUNCEMENTS.map(({ key }) => key),
]);
