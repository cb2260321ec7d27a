/**
 * The options of `comanche tls`: those of stud, with its letters and defaults, and a few that it did not have.
 *
 * What stud had and this has not stands here too, each with the sentence that its user gets.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import { milliseconds } from "../base/units.ts";
import {
  accountName,
  choice,
  duration,
  filePath,
  flag,
  type OptionKind,
  optional,
  orNo,
  rootFolder,
  wholeNumber,
} from "./option-kinds.ts";
import { type Option, type SettingsOf, SYSLOG_FACILITIES } from "./options.ts";
import { type BackAddress, backAddress, type FrontAddress, frontAddress } from "./terminator-address.ts";

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
const localServer: BackAddress = { kind: "tcp", host: "127.0.0.1", port: 8000 };

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

const sockets = {
  frontend: option(frontAddress, everywhere, "where it listens; * is every address, port 0 a free one", { short: "f" }),
  backend: option(backAddress, localServer, "where it connects to, or unix:/path", { short: "b" }),
  client: option(flag, false, "the other way round: plain bytes come in, and the backend speaks TLS"),
  backlog: option(wholeNumber(1, 65535), 100, "connections that may wait to be accepted", { short: "B" }),
};

const encryption = {
  ciphers: option(optional(cipherList), undefined, "cipher suites of TLS 1.2", {
    short: "c",
    defaultInWords: "Node's own",
  }),
  tlsTicketKeys: option(optional(filePath), undefined, "ticket keys, for machines that share them", {
    defaultInWords: "made at start",
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
  handshakeTimeout: option(duration(1, DAY), milliseconds(10 * SECOND), "time allowed for a handshake"),
  connectTimeout: option(duration(1, DAY), milliseconds(10 * SECOND), "time allowed for reaching the backend"),
  idleTimeout: option(orNo(duration(1, DAY)), milliseconds(HOUR), "time in which something has to move, or no"),
};

const processes = {
  workers: option(wholeNumber(1, 1024), 1, "processes that accept connections", { short: "n" }),
  daemon: option(flag, false, "run in the background; implies quiet and syslog"),
  pidfile: option(optional(filePath), undefined, "file that holds the process id", { defaultInWords: "none" }),
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
export const terminatorOptions = { ...sockets, ...encryption, ...times };

/** How its processes live. */
export const terminatorProcessOptions = { ...processes, ...rights, ...logs };

/** All of them, in the order of the help. */
export const TERMINATOR_HEADINGS: readonly (readonly [string, Readonly<Record<string, Option<unknown>>>])[] = [
  ["Where it listens, and for whom", sockets],
  ["TLS", encryption],
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

/** What stud had, and what became of it. */
export interface FormerOption {
  /** The first is stud's own name. */
  readonly keys: readonly [string, ...string[]];
  readonly short?: string;
  /** Stands for the value; undefined where there was none. */
  readonly placeholder?: string;
  /** `ignored`: taken, and this is noted. `refused`: whoever asks for it would not get what he relies on. */
  readonly fate: "ignored" | "refused";
  readonly sentence: string;
}

const NO_CACHE = "there is no session cache: sessions resume by tickets, which every worker can open";
const NO_PEERS = "sessions are not sent to other machines: give each the same --tls-ticket-keys";

export const FORMER_OPTIONS: readonly FormerOption[] = [
  { keys: ["shared-cache", "session-cache"], short: "C", placeholder: "NUM", fate: "ignored", sentence: NO_CACHE },
  { keys: ["shared-cache-listen"], short: "U", placeholder: "HOST,PORT", fate: "ignored", sentence: NO_PEERS },
  { keys: ["shared-cache-peer"], short: "P", placeholder: "HOST,PORT", fate: "ignored", sentence: NO_PEERS },
  { keys: ["shared-cache-if"], short: "M", placeholder: "IFACE[,TTL]", fate: "ignored", sentence: NO_PEERS },
  {
    keys: ["prefer-server-ciphers"],
    short: "O",
    fate: "ignored",
    sentence: "the server's order of ciphers always goes before the client's",
  },
  { keys: ["tls"], fate: "ignored", sentence: "TLS 1.2 and 1.3 are all that is spoken, and need no asking" },
  {
    keys: ["ssl"],
    fate: "refused",
    sentence: "SSL 3.0 is broken and must not be spoken (RFC 7568): leave it out for TLS 1.2 and 1.3",
  },
  {
    keys: ["ssl-engine"],
    short: "e",
    placeholder: "ENGINE",
    fate: "refused",
    sentence: "OpenSSL gives up its engines (version 3), and none is loaded: expected the keys in PEM files",
  },
  {
    keys: ["config"],
    placeholder: "FILE",
    fate: "refused",
    sentence: "stud's configuration file is not read: expected its settings as flags",
  },
  { keys: ["default-config"], fate: "refused", sentence: "there is no such file: --help tells every default" },
  {
    keys: ["tcp-user-timeout"],
    placeholder: "MSECS",
    fate: "refused",
    sentence: "this cannot be set from Node: --idle-timeout ends connections in which nothing moves",
  },
  {
    keys: ["write-xff"],
    fate: "refused",
    sentence:
      "bytes are passed on unread, so there is no place for a field: expected --write-proxy or --write-proxy-v2",
  },
];

type Options = SettingsOf<typeof terminatorOptions> & SettingsOf<typeof terminatorProcessOptions>;

export interface TerminatorSettings extends Options {
  readonly announcement: Announcement;
  /** In the order in which a name is looked for; the last is for whoever names no other. Only with `client` it may be empty. */
  readonly pemFiles: readonly AbsolutePath[];
}
