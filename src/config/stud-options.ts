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

const NO_CACHE = "there is no session cache: sessions resume by tickets, which every worker can open";
const NO_PEERS = "sessions are not sent to other machines: give each the same --tls-ticket-keys";

export const STUD_OPTIONS: readonly StudOption[] = [
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
