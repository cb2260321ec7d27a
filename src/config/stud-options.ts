/**
 * What stud had and `comanche tls` has not, each with the sentence that its user gets.
 */

/** What stud had, and what became of it. */
export interface StudOption {
  /** The first is stud's own name. */
  readonly keys: readonly [string, ...string[]];
  readonly short?: string;
  /** Stands for the value; undefined where there was none. */
  readonly placeholder?: string;
  /** `ignored`: taken, and this is noted. `refused`: whoever asks for it would not get what he relies on. */
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
