/**
 * The options: one row each, and the only place where a default stands.
 *
 * The key in the file, the flag, `--help`, the shipped configuration, the manual's table and the types of the settings
 * all follow from these rows. The property `maxTarget` is the key `max-target` and the flag `--max-target`.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { absolutePath } from "../base/absolute-path.ts";
import { bytes, milliseconds } from "../base/units.ts";
import {
  accountName,
  charsetName,
  choice,
  directoryName,
  duration,
  extension,
  fieldText,
  fileMode,
  fileName,
  filePath,
  flag,
  fullListOf,
  hostName,
  ipRange,
  type LogTarget,
  listenAddress,
  listOf,
  logTarget,
  numberChoice,
  type OptionKind,
  opensslNames,
  optional,
  orAuto,
  orEmpty,
  orNo,
  orNone,
  rootFolder,
  size,
  tcpPort,
  urlPath,
  wholeNumber,
} from "./option-kinds.ts";

/** What a default may depend on. */
export interface Situation {
  /** Whether the server was started as root. */
  readonly isRoot: boolean;
  /** `htdocs` beside the configuration file when there is one, else below the working directory. */
  readonly htdocs: AbsolutePath;
}

export interface Option<Value> {
  readonly kind: OptionKind<Value>;
  readonly defaultFor: (situation: Situation) => Value;
  /** What it does, in one or two sentences without the last full stop. */
  readonly help: string;
  /** One letter for the command line. */
  readonly short?: string;
  /** Present on a flag whose short form switches it off. */
  readonly shortSets?: "no";
  /** The default in words, where it is not one value. */
  readonly defaultInWords?: string;
  /** The default as the shipped configuration file writes it, where that is not the value itself. */
  readonly written?: string;
}

type Extras = Pick<Option<unknown>, "short" | "shortSets" | "defaultInWords" | "written">;

function option<Value>(kind: OptionKind<Value>, byDefault: Value, help: string, extras: Extras = {}): Option<Value> {
  return { kind, defaultFor: () => byDefault, help, ...extras };
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;

/** In the order of their numbers (RFC 5424 §6.2.1), which have a gap before local0. `kern` is the kernel's alone. */
export const SYSLOG_FACILITIES = [
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;
export type SyslogFacility = (typeof SYSLOG_FACILITIES)[number];

const listening = {
  address: option(
    orNone(fullListOf(listenAddress)),
    [{ kind: "ip", family: 4, address: "127.0.0.1" }],
    "IPv4 address, IPv6 address or host name to listen on; * is every address of both families, unix:/path a Unix socket, no: no site is served",
    { short: "a" },
  ),
  port: {
    kind: tcpPort,
    defaultFor: (situation: Situation) => (situation.isRoot ? 80 : 8080),
    help: "TCP port to listen on; 0 takes a free one and prints it",
    short: "p",
    defaultInWords: "80 as root, else 8080",
  },
  backlog: option(wholeNumber(1, 65535), 511, "connections that may wait to be accepted (listen(2))", { short: "B" }),
  socketMode: option(fileMode, 0o666, "permissions of a Unix socket: who may write to it may connect"),
};

const tls = {
  tlsPort: option(
    optional(tcpPort),
    undefined,
    "TCP port for HTTPS, on the addresses above; 0 takes a free one and prints it",
    { defaultInWords: "none" },
  ),
  tlsCert: option(
    listOf(filePath),
    [],
    "PEM files, each with a certificate, those that certify it, and its key; clients choose by name, and get the first where none is for it",
    { defaultInWords: "none" },
  ),
  tlsKey: option(optional(filePath), undefined, "PEM file with the key of the only file of tls-cert", {
    defaultInWords: "in the same file",
  }),
  tlsDir: option(
    optional(filePath),
    undefined,
    "folder whose *.pem files are used like those of tls-cert, after them",
    {
      defaultInWords: "none",
    },
  ),
  tlsSniStrict: option(flag, false, "send a client away that asks for a name which no certificate is for"),
  tlsMinVersion: option(choice("1.2", "1.3"), "1.2", "oldest version of TLS that is spoken"),
  tlsCiphers: option(optional(opensslNames), undefined, "ciphers of TLS 1.2, the best first", {
    defaultInWords: "those with forward secrecy and authenticated encryption",
  }),
  tlsSuites: option(optional(opensslNames), undefined, "cipher suites of TLS 1.3, the best first", {
    defaultInWords: "all",
  }),
  tlsCurves: option(optional(opensslNames), undefined, "groups for the key exchange, the best first", {
    defaultInWords: "OpenSSL's",
  }),
  tlsTicketKeys: option(
    optional(filePath),
    undefined,
    "file of 48 random bytes that seal session tickets: servers that share it resume each other's sessions",
    { defaultInWords: "made at the start, shared by all processes, new twice a day" },
  ),
  tlsClientCa: option(optional(filePath), undefined, "PEM file with the authorities that certify clients", {
    defaultInWords: "clients need no certificate",
  }),
  tlsClientVerify: option(
    choice("require", "optional"),
    "require",
    "with tls-client-ca: send a client away that shows no valid certificate, or only note who did",
  ),
  tlsHandshakeTimeout: option(
    duration(1, DAY),
    milliseconds(10 * SECOND),
    "time within which a handshake must be complete",
  ),
  tlsHandshakes: option(
    wholeNumber(1, 1_000_000),
    1000,
    "most handshakes under way at a time, in each process; one more is sent away",
  ),
  tlsRedirect: option(flag, false, "send who comes without TLS to the same address with it"),
  hsts: option(
    duration(0, 10 * 366 * DAY),
    milliseconds(0),
    "how long browsers are to ask for this host with TLS alone (Strict-Transport-Security), in whole seconds; 0: not said",
  ),
};

const proxies = {
  proxyProtocol: option(
    flag,
    false,
    "each connection begins with a PROXY header, version 1 or 2, that names the client; without one, and from others than trusted-proxies, it is cut",
  ),
  trustedProxies: option(
    listOf(ipRange),
    [],
    "addresses and ranges of proxies that are believed when they say who the client is, by PROXY header or X-Forwarded-For; unix: those on a Unix socket",
    { defaultInWords: "none" },
  ),
};

const life = {
  daemon: option(flag, true, "run in the background; with -d or --no-daemon the server stays in the foreground", {
    short: "d",
    shortSets: "no",
    defaultInWords: "in the background",
  }),
  pidfile: option(optional(filePath), undefined, "file that holds the process id of the server", {
    defaultInWords: "comanche.pid in /run as root, else in $XDG_RUNTIME_DIR or the state folder",
  }),
  grace: option(
    duration(0, DAY),
    milliseconds(30 * SECOND),
    "time that running transfers have to end when the server stops",
  ),
};

const privileges = {
  user: option(
    optional(accountName),
    undefined,
    "user that the processes which talk to the network run as; only root can set it",
    { short: "u", defaultInWords: "who starts the server" },
  ),
  group: option(optional(accountName), undefined, "group of those processes", {
    short: "g",
    defaultInWords: "the user's",
  }),
  chroot: option(
    rootFolder,
    undefined,
    "folder that becomes the root of the file system for those processes; only root can set it, and it needs user",
    { short: "r", defaultInWords: "none" },
  ),
  sandbox: option(
    choice("auto", "yes", "no"),
    "auto",
    "confine those processes to what they serve, by Landlock, no new privileges and no capabilities; auto: as far as the system can, yes: that or no start, no: not at all",
  ),
};

const logs = {
  logfile: option<LogTarget>(
    logTarget,
    absolutePath("/var/www/comanche_log"),
    "access log; - is the standard output. Where nobody sets it and its folder cannot be written, a file of your own state folder is taken",
    { short: "l" },
  ),
  logformat: option(choice("common", "combined", "vhost", "json"), "common", "form of the access log's lines"),
  errorlog: option<LogTarget>(
    logTarget,
    "-",
    "log of events; - is the console. Where nobody sets it, a daemon writes comanche_error_log beside the access log",
  ),
  logLevel: option(choice("error", "warn", "info", "debug"), "info", "the least important events that are logged"),
  quiet: option(flag, false, "only errors on the console", { short: "q" }),
  syslog: option(flag, false, "send events to syslog too", { short: "s" }),
  syslogFacility: option(
    { ...choice(...SYSLOG_FACILITIES), placeholder: "NAME" },
    "daemon",
    "the facility of what is sent to syslog, such as daemon or local0",
  ),
};

const limits = {
  timeout: option(duration(1, DAY), milliseconds(3 * SECOND), "time a connection may be idle between two requests", {
    short: "t",
  }),
  keepaliveRequests: option(wholeNumber(1, 1_000_000_000), 1000, "requests that one connection may make"),
  maxTarget: option(size(64, MIB), bytes(8 * KIB), "longest request line; a longer one is answered 414"),
  maxHeader: option(size(256, MIB), bytes(16 * KIB), "largest header of a request; a larger one is answered 431"),
  maxFields: option(wholeNumber(1, 10_000), 100, "most fields in a header; more are answered 431"),
  maxBody: option(size(0), bytes(10 * MIB), "largest body of a request; a larger one is answered 413"),
  headerTimeout: option(
    duration(1, DAY),
    milliseconds(10 * SECOND),
    "time within which the header of a request must be complete, else 408",
  ),
  bodyTimeout: option(
    duration(1, DAY),
    milliseconds(30 * SECOND),
    "time within which more of the body of a request must arrive, else 408",
  ),
  sendTimeout: option(
    duration(1, DAY),
    milliseconds(30 * SECOND),
    "time within which a client must read more of a response, else it is cut off",
  ),
  maxConnections: option(wholeNumber(1, 1_000_000), 10_000, "most connections at a time; one more is answered 503"),
  connectionsPerClient: option(
    wholeNumber(0, 1_000_000),
    0,
    "most connections from one address at a time, in each process; one more is answered 503. 0: no limit",
  ),
};

const workers = {
  processes: option(
    orAuto(wholeNumber(1, 256)),
    "auto",
    "processes that accept connections; auto: one for each core, but no more than workers",
    { short: "n" },
  ),
  workers: option(
    wholeNumber(1, 1024),
    10,
    "threads for what takes longer than an answer: directory indexes, uploads",
    {
      short: "w",
    },
  ),
  queue: option(wholeNumber(0, 1_000_000), 50, "tasks that may wait for a thread; one more is answered 503 at once"),
  retryAfter: option(
    duration(SECOND, DAY),
    milliseconds(5 * SECOND),
    "when a client that was answered 503 may come back: the Retry-After field, in whole seconds",
  ),
  statusInterval: option(
    duration(0, DAY),
    milliseconds(60 * SECOND),
    "how often a server in the foreground prints how busy its threads are, while they are; 0: never",
  ),
};

const cache = {
  cacheSize: option(size(0), bytes(64 * MIB), "memory for files that are asked for often; 0 keeps none"),
  cacheFile: option(size(1, GIB), bytes(MIB), "largest file that is kept in memory"),
  cacheValid: option(
    duration(0, DAY),
    milliseconds(0),
    "how long a file in memory is served without a look whether it has changed; 0: a change is seen by the next request",
  ),
};

const hosts = {
  virthost: option(
    flag,
    false,
    "name-based virtual hosts: a request for NAME is served from the folder NAME in docbase",
    {
      short: "v",
    },
  ),
  defaultHost: option(
    optional(hostName),
    undefined,
    "the virtual host for requests whose host has none of its own; without it they are answered 404",
    { defaultInWords: "none" },
  ),
};

const answers = {
  server: option(orEmpty(fieldText), "Comanche", "the Server field of every response; empty leaves it out"),
};

const content = {
  docbase: {
    kind: filePath,
    defaultFor: (situation: Situation) => situation.htdocs,
    help: "document root: the folder that is served. With chroot a path inside it",
    short: "b",
    defaultInWords: "htdocs beside the configuration file, else ./htdocs; with chroot /htdocs in it",
    written: "htdocs",
  },
  indexfiles: option(
    listOf(fileName),
    ["index.html", "index.htm"],
    "files that stand for their folder; the first that exists is served",
  ),
  listing: option(flag, true, "show the contents of a folder that has no index file; without it 403"),
  chunked: option(flag, false, "send files in the chunked coding, in pieces of 8 KiB, instead of with their length"),
  charset: option(orEmpty(charsetName), "utf-8", "character encoding that is named with text files; empty names none"),
};

const access = {
  hosts: option(listOf(hostName), [], "hosts that are answered; all others get 403", { defaultInWords: "any" }),
  symlinks: option(
    choice("inside", "never", "anywhere"),
    "inside",
    "symbolic links to follow: those that stay inside docbase, none, or all",
  ),
  dotfiles: option(flag, false, "serve files whose names begin with a dot; /.well-known/ is always served"),
  traversalStatus: option(numberChoice(400, 403, 404), 404, "answer to a path with a .. segment"),
  types: option(listOf(extension), [], "extensions that are served; all others get 415", {
    defaultInWords: "all",
  }),
  download: option(listOf(extension), [], "extensions that are offered as downloads instead of being shown", {
    defaultInWords: "none",
  }),
};

const uploads = {
  upload: option<string | undefined>(
    orNo(urlPath),
    "/upload",
    "the URL path that takes JSON documents by POST; no: there are no uploads",
  ),
  uploadDir: option(directoryName, "uploads", "where uploads are stored; a relative path is below docbase"),
  uploadQuota: option(optional(size(0)), undefined, "most bytes that uploads may take in all; more is answered 507", {
    defaultInWords: "none",
  }),
};

/** The statuses that can have a page of their own. */
export const ERROR_PAGE_STATUSES = [
  400, 403, 404, 405, 408, 412, 413, 414, 415, 416, 417, 431, 500, 501, 503, 505, 507,
] as const;
export type ErrorPageStatus = (typeof ERROR_PAGE_STATUSES)[number];

const ERROR_PAGES: ReadonlyMap<ErrorPageStatus, string> = new Map([[404, "/404.html"]]);

const ERROR_PAGE_HELP = "page for the answer of that number, by its URL path below docbase; empty: the built-in page";

function errorPageOption(status: ErrorPageStatus): Option<string | undefined> {
  const page = ERROR_PAGES.get(status);
  return option(optional(urlPath), page, ERROR_PAGE_HELP);
}

/** Options of the whole server. */
export const serverOptions = {
  ...listening,
  ...tls,
  ...proxies,
  ...life,
  ...privileges,
  ...logs,
  ...limits,
  ...workers,
  ...cache,
  ...hosts,
  ...answers,
};

/** Options of one site: the main server has them, and each virtual host may have its own. */
export const siteOptions = { ...content, ...access, ...uploads };

/** `error-404` and the like: options of a site too, kept in a map of the site's settings. */
export const errorPageOptions: ReadonlyMap<ErrorPageStatus, Option<string | undefined>> = new Map(
  ERROR_PAGE_STATUSES.map((status) => [status, errorPageOption(status)]),
);

type Rows = Readonly<Record<string, Option<unknown>>>;
export type SettingsOf<Each extends Rows> = {
  readonly [Property in keyof Each]: Each[Property] extends Option<infer Value> ? Value : never;
};

/** A row with its names and its place: what the file, the flags and the manual are made from. */
export interface NamedOption {
  /** In the file; the flag is `--` and this. */
  readonly key: string;
  /** In the settings. */
  readonly property: string;
  readonly scope: "server" | "site";
  readonly heading: string;
  readonly option: Option<unknown>;
}

const errorPages: Rows = Object.fromEntries(
  [...errorPageOptions].map(([status, row]) => [`error${status}`, row] as const),
);

/** Every option, in the order of the manual. */
export const allOptions: readonly NamedOption[] = [
  ...nameRows("Where it listens", "server", listening),
  ...nameRows("HTTPS", "server", tls),
  ...nameRows("Behind a proxy", "server", proxies),
  ...nameRows("Start and stop", "server", life),
  ...nameRows("Rights", "server", privileges),
  ...nameRows("Logs", "server", logs),
  ...nameRows("Limits", "server", limits),
  ...nameRows("Workers", "server", workers),
  ...nameRows("Memory", "server", cache),
  ...nameRows("Virtual hosts", "server", hosts),
  ...nameRows("Responses", "server", answers),
  ...nameRows("What is served", "site", content),
  ...nameRows("What is not served", "site", access),
  ...nameRows("Uploads", "site", uploads),
  ...nameRows("Error pages", "site", errorPages),
];

export const optionsByKey: ReadonlyMap<string, NamedOption> = new Map(allOptions.map((each) => [each.key, each]));

/** `maxTarget` is written `max-target`, and `error404` is written `error-404`. */
export function keyOf(property: string): string {
  return property.replace(/[A-Z]|[0-9]+/g, (part) => `-${part.toLowerCase()}`);
}

function nameRows(heading: string, scope: NamedOption["scope"], rows: Rows): readonly NamedOption[] {
  return Object.entries(rows).map(([property, row]) => ({
    key: keyOf(property),
    property,
    scope,
    heading,
    option: row,
  }));
}
