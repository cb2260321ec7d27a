/**
 * The options: one row each, the only place where a default stands. Keys, flags, help, manual and the types of the settings
 * follow from these rows: the property `maxTarget` is the key `max-target` and the flag `--max-target`.
 */
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { ERROR_STATUSES, type ErrorStatus } from "../base/status.ts";
import { bytes, type Milliseconds, milliseconds } from "../base/units.ts";
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
  hostName,
  ipRange,
  type LogTarget,
  listenAddress,
  listOf,
  listOrNo,
  logTarget,
  numberChoice,
  type OptionKind,
  opensslNames,
  optional,
  orAuto,
  orEmpty,
  orNo,
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
  /** The default in words, where it is not one value; "none" for a default that is nothing. */
  readonly defaultInWords?: string;
  /** The default as the shipped configuration file writes it, where that is not the value itself. */
  readonly written?: string;
}

type Extras = Pick<Option<unknown>, "short" | "shortSets" | "defaultInWords" | "written">;

export function option<Value>(
  kind: OptionKind<Value>,
  byDefault: Value,
  help: string,
  extras: Extras = {},
): Option<Value> {
  return { kind, defaultFor: () => byDefault, help, ...extras };
}

/** An option that is unset by default. */
export function unsetOption<Value>(kind: OptionKind<Value>, help: string, extras?: Extras): Option<Value | undefined> {
  return option<Value | undefined>(optional(kind), undefined, help, extras);
}

/** A time limit of at most a day. @param byDefault  in seconds */
export function timeLimit(byDefault: number, help: string, extras?: Extras): Option<Milliseconds> {
  return option(duration(1, DAY), milliseconds(byDefault * SECOND), help, extras);
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;

/** In the order of their numbers (RFC 5424 §6.2.1), which have a gap before local0. `kern` is the kernel's alone. */
export const SYSLOG_FACILITIES = [
  ...(["user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"] as const),
  ...(["local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"] as const),
] as const;
export type SyslogFacility = (typeof SYSLOG_FACILITIES)[number];

const listening = {
  address: option(
    listOrNo(listenAddress),
    [{ kind: "ip", family: 4, address: "127.0.0.1" }],
    "IPv4 or IPv6 address or host name to listen on; * listens on every address of both families, unix:/path on a Unix socket, no serves no site",
    { short: "a" },
  ),
  port: {
    kind: tcpPort,
    defaultFor: (situation: Situation) => (situation.isRoot ? 80 : 8080),
    help: "TCP port to listen on; 0 picks a free one and prints it",
    short: "p",
    defaultInWords: "80 as root, else 8080",
  },
  backlog: option(wholeNumber(1, 65535), 511, "connections that may wait to be accepted (listen(2) backlog)", {
    short: "B",
  }),
  socketMode: option(fileMode, 0o666, "permissions of a Unix socket; clients need write permission to connect"),
};

/** Without `tlsPort` none of the others has an effect. */
export const httpsOptions = {
  tlsPort: unsetOption(tcpPort, "TCP port for HTTPS on the same addresses; 0 picks a free one and prints it"),
  tlsCert: option(
    listOf(filePath),
    [],
    "PEM files, each with a certificate, its chain and its key; chosen by the SNI name, or the first if no certificate matches",
  ),
  tlsKey: unsetOption(filePath, "PEM file with the private key, if tls-cert is a single file", {
    defaultInWords: "in the same file",
  }),
  tlsDir: unsetOption(filePath, "folder whose *.pem files are used after those of tls-cert"),
  tlsSniStrict: option(flag, false, "refuse handshakes whose SNI name matches no certificate"),
  tlsMinVersion: option(choice("1.2", "1.3"), "1.2", "minimum TLS version"),
  tlsCiphers: unsetOption(opensslNames, "TLS 1.2 ciphers in order of preference", {
    defaultInWords: "those with forward secrecy and authenticated encryption",
  }),
  tlsSuites: unsetOption(opensslNames, "TLS 1.3 cipher suites in order of preference", { defaultInWords: "all" }),
  tlsCurves: unsetOption(opensslNames, "key exchange groups in order of preference", { defaultInWords: "OpenSSL's" }),
  tlsTicketKeys: option(
    listOf(filePath),
    [],
    "files of 48 random bytes: the first encrypts session tickets, all decrypt them; servers that share them resume each other's sessions",
    { defaultInWords: "generated at start, shared by all processes, rotated twice a day" },
  ),
  tlsClientCa: unsetOption(filePath, "PEM file with the CA certificates that verify client certificates", {
    defaultInWords: "no client certificates",
  }),
  tlsClientVerify: option(
    choice("require", "optional", "note"),
    "require",
    "with tls-client-ca: reject clients without a valid certificate (require), only those whose certificate is not valid (optional), or none (note)",
  ),
  tlsHandshakeTimeout: timeLimit(10, "time limit for a TLS handshake"),
  tlsHandshakes: option(
    wholeNumber(1, 1_000_000),
    1000,
    "maximum number of TLS handshakes at a time, per process; further clients are disconnected",
  ),
  tlsRedirect: option(
    flag,
    false,
    "redirect HTTP requests to HTTPS, but not those of a trusted proxy that has ended the client's TLS",
  ),
  hsts: option(
    duration(0, 10 * 366 * DAY),
    milliseconds(0),
    "max-age of the Strict-Transport-Security field, in whole seconds; 0: the field is not sent",
  ),
};

const proxies = {
  proxyProtocol: option(
    flag,
    false,
    "require a PROXY header, version 1 or 2, at the start of each connection; connections without one, or not from trusted-proxies, are closed",
  ),
  trustedProxies: option(
    listOf(ipRange),
    [],
    "proxies whose PROXY header, X-Forwarded-For and X-Forwarded-Proto are trusted: addresses, CIDR ranges, or unix for Unix sockets",
  ),
  proxyTimeout: timeLimit(
    125,
    "idle timeout of connections from trusted-proxies, and of those whose requests have Via, Forwarded or X-Forwarded-For, if longer than timeout",
  ),
};

const life = {
  daemon: option(flag, true, "run in the background; -d or --no-daemon keeps the server in the foreground", {
    short: "d",
    shortSets: "no",
    defaultInWords: "in the background",
  }),
  pidfile: unsetOption(filePath, "file for the process ID of the server", {
    defaultInWords: "comanche/comanche.pid in /run as root, else in $XDG_RUNTIME_DIR or the state folder",
  }),
  grace: option(duration(0, DAY), milliseconds(30 * SECOND), "time limit for running transfers when the server stops"),
};

const privileges = {
  user: unsetOption(accountName, "account that the worker processes run as; only root can set it", {
    short: "u",
    defaultInWords: "the account that starts the server",
  }),
  group: unsetOption(accountName, "group that the worker processes run as", {
    short: "g",
    defaultInWords: "the user's",
  }),
  chroot: option(
    rootFolder,
    undefined,
    "root directory of the worker processes (chroot(2)); only root can set it, and it requires user",
    { short: "r" },
  ),
  sandbox: option(
    choice("auto", "yes", "no"),
    "auto",
    "confine the worker processes to what they serve, with Landlock, no_new_privs and no capabilities; auto: as far as the system allows, yes: refuse to start without, no: off",
  ),
};

const logs = {
  logfile: option<LogTarget>(
    logTarget,
    absolutePath("/var/www/comanche_log"),
    "access log; - is standard output. If unset and that folder is not writable: $XDG_STATE_HOME/comanche/access.log",
    { short: "l" },
  ),
  logformat: option(choice("common", "combined", "vhost", "json"), "common", "format of the access log"),
  errorlog: option<LogTarget>(
    logTarget,
    "-",
    "event log; - is the console. If unset, a daemon writes comanche_error_log beside the access log",
  ),
  logLevel: option(choice("error", "warn", "info", "debug"), "info", "lowest severity of events to log"),
  quiet: option(flag, false, "print only errors on the console", { short: "q" }),
  syslog: option(flag, false, "also send events to syslog", { short: "s" }),
  syslogFacility: option(
    { ...choice(...SYSLOG_FACILITIES), placeholder: "NAME" },
    "daemon",
    "syslog facility, such as daemon or local0",
  ),
};

const limits = {
  timeout: timeLimit(3, "idle timeout of a connection between requests", { short: "t" }),
  keepaliveRequests: option(wholeNumber(1, 1_000_000_000), 1000, "maximum number of requests per connection"),
  maxTarget: option(size(64, MIB), bytes(8 * KIB), "maximum length of the request line; a longer one is answered 414"),
  maxHeader: option(
    size(256, MIB),
    bytes(16 * KIB),
    "maximum size of the request header; a larger one is answered 431",
  ),
  maxFields: option(wholeNumber(1, 10_000), 100, "maximum number of header fields; more are answered 431"),
  maxBody: option(size(0), bytes(10 * MIB), "maximum size of a request body; a larger one is answered 413"),
  headerTimeout: timeLimit(10, "time limit for receiving a request header, else 408"),
  bodyTimeout: timeLimit(30, "longest pause while receiving a request body, else 408"),
  bodyRate: option(
    size(0, GIB),
    bytes(500),
    "lowest average rate of a request body in bytes per second, after the first body-timeout, else 408; 0: no limit",
  ),
  sendTimeout: timeLimit(30, "longest pause while sending a response, else the connection is reset"),
  maxConnections: option(
    wholeNumber(1, 1_000_000),
    10_000,
    "maximum number of connections; a further one is answered 503",
  ),
  connectionsPerClient: option(
    wholeNumber(0, 1_000_000),
    0,
    "maximum number of connections per client address, in each process; a further one is answered 503; 0: no limit",
  ),
};

const workers = {
  processes: option(
    orAuto(wholeNumber(1, 256)),
    "auto",
    "worker processes that accept connections; auto: one per core, but no more than workers",
    { short: "n" },
  ),
  workers: option(wholeNumber(1, 1024), 10, "task threads for directory indexes and uploads", { short: "w" }),
  queue: option(
    wholeNumber(0, 1_000_000),
    50,
    "tasks that may wait for a thread; a further one is answered 503 at once",
  ),
  retryAfter: option(
    duration(SECOND, DAY),
    milliseconds(5 * SECOND),
    "value of the Retry-After field of 503 responses, in whole seconds",
  ),
  statusInterval: option(
    duration(0, DAY),
    milliseconds(60 * SECOND),
    "how often a server in the foreground prints the state of its task threads while any is busy; 0: never",
  ),
};

const cache = {
  cacheSize: option(size(0), bytes(64 * MIB), "memory for the file cache; 0 turns it off"),
  cacheFile: option(size(1, GIB), bytes(MIB), "maximum size of a cached file"),
  cacheValid: option(
    duration(0, DAY),
    milliseconds(0),
    "how long a cached file is served without checking whether it has changed; 0: the next request sees a change",
  ),
};

const hosts = {
  virthost: option(
    flag,
    false,
    "name-based virtual hosts: requests for host NAME are served from the folder NAME in docbase",
    { short: "v" },
  ),
  defaultHost: unsetOption(
    hostName,
    "virtual host for requests whose host matches none; without it they are answered 404",
  ),
};

const answers = {
  server: option(
    orEmpty(fieldText),
    "Comanche",
    "value of the Server field of responses; empty: the field is not sent",
  ),
};

const content = {
  docbase: {
    kind: filePath,
    defaultFor: (situation: Situation) => situation.htdocs,
    help: "document root: the folder that is served; with chroot, a path inside it",
    short: "b",
    defaultInWords: "htdocs beside the configuration file, else ./htdocs; with chroot /htdocs in it",
    written: "htdocs",
  },
  indexfiles: option(
    listOf(fileName),
    ["index.html", "index.htm"],
    "index files of a folder; the first that exists is served",
  ),
  listing: option(flag, true, "list the contents of a folder that has no index file, else 403"),
  chunked: option(
    flag,
    false,
    "send files with chunked transfer coding, in chunks of 8 KiB, instead of Content-Length",
  ),
  etag: option(
    choice("exact", "portable"),
    "exact",
    "what the entity tag of a file larger than cache-file is made of: modification, change, size and inode (exact), or modification time and size, so that copies which keep their times have the same tag (portable)",
  ),
  charset: option(orEmpty(charsetName), "utf-8", "charset parameter of the Content-Type of text files; empty: none"),
};

const access = {
  hosts: option(listOf(hostName), [], "hosts that are served; others are answered 403", { defaultInWords: "any" }),
  symlinks: option(
    choice("inside", "never", "anywhere"),
    "inside",
    "symbolic links to follow: those that stay inside docbase, none (never), or all (anywhere)",
  ),
  dotfiles: option(flag, false, "serve files whose names start with a dot; /.well-known/ is always served"),
  traversalStatus: option(numberChoice(400, 403, 404), 404, "status for a path with a .. segment"),
  types: option(listOf(extension), [], "file extensions that are served; others are answered 415", {
    defaultInWords: "all",
  }),
  download: option(listOf(extension), [], "file extensions that are offered as downloads instead of being shown"),
};

const uploads = {
  upload: option<string | undefined>(
    orNo(urlPath),
    "/upload",
    "URL path that accepts JSON documents by POST; no: uploads are off",
  ),
  uploadDir: option(directoryName, "uploads", "folder for uploads; a relative path is below docbase"),
  uploadQuota: unsetOption(size(0), "maximum total size of uploads; more is answered 507"),
};

const ERROR_PAGES: ReadonlyMap<ErrorStatus, string> = new Map([[404, "/404.html"]]);

const ERROR_PAGE_HELP = "page for that status, as a URL path below docbase; empty: the built-in page";

function errorPageOption(status: ErrorStatus): Option<string | undefined> {
  const page = ERROR_PAGES.get(status);
  return option(optional(urlPath), page, ERROR_PAGE_HELP, { defaultInWords: page ?? "" });
}

/** Options of the whole server. */
export const serverOptions = {
  ...listening,
  ...httpsOptions,
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
export const errorPageOptions: ReadonlyMap<ErrorStatus, Option<string | undefined>> = new Map(
  ERROR_STATUSES.map((status) => [status, errorPageOption(status)]),
);

export type Rows = Readonly<Record<string, Option<unknown>>>;
export type SettingsOf<Each extends Rows> = {
  readonly [Property in keyof Each]: Each[Property] extends Option<infer Value> ? Value : never;
};

/** A row with its names and its place: what the file, the flags and the manual are made from. */
export interface NamedOption {
  /** In the file; the flag is `--` and this. */
  readonly key: string;
  readonly scope: "server" | "site";
  readonly heading: string;
  readonly option: Option<unknown>;
}

const errorPages: Rows = Object.fromEntries(
  [...errorPageOptions].map(([status, row]) => [`error${status}`, row] as const),
);

/** Every option, in the order of the manual. */
export const allOptions: readonly NamedOption[] = [
  ...nameRows("Listening", "server", listening),
  ...nameRows("HTTPS", "server", httpsOptions),
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
  return Object.entries(rows).map(([property, row]) => ({ key: keyOf(property), scope, heading, option: row }));
}
