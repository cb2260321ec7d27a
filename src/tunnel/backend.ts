/** Connects to a backend: tries its addresses in order until one answers, in plain or with TLS on top. */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type SecureContext } from "node:tls";
import type { Endpoint } from "../base/endpoint.ts";
import { errorCode } from "../base/errors.ts";
import type { Milliseconds } from "../base/units.ts";
import type { WritePool } from "../transport/handle-pool.ts";
import type { ByteStream } from "../transport/transport.ts";
import { streamOver } from "../transport/transport-choice.ts";

/** By terminator name; at least one endpoint each, the preferred first. */
export type BackendEndpoints = ReadonlyMap<string, readonly Endpoint[]>;

/** For a backend that speaks TLS itself. */
export interface BackendTls {
  readonly context: SecureContext;
  /**
   * The SNI name, also verified in the certificate if `isVerified`. Undefined for a backend with only an address, which
   * is then verified instead, or a path.
   */
  readonly name: string | undefined;
  readonly isVerified: boolean;
  readonly alpn: readonly string[];
}

export interface BackendWay {
  /** At least one. */
  readonly places: readonly Endpoint[];
  /** For connecting and the handshake; each place gets an equal part. */
  readonly timeout: Milliseconds;
  /** Undefined for a plain connection. */
  readonly tls: BackendTls | undefined;
}

export interface BackendHooks {
  /** The receiver owns the connection and must start it at once; nothing has been read from it. */
  readonly onReached: (back: ByteStream) => void;
  /** Nothing is left open. `why` completes "the backend was not reached: …". */
  readonly onFailed: (why: string) => void;
}

/** `preamble` is written first, even before a handshake. @returns a function that cancels; then no hook is called */
export function reachBackend(
  way: BackendWay,
  preamble: Uint8Array,
  pool: WritePool | undefined,
  hooks: BackendHooks,
): () => void {
  const approach = new Approach(way, preamble, pool, hooks);
  approach.begin();
  return () => approach.cancel();
}

class Approach {
  readonly #way: BackendWay;
  readonly #preamble: Uint8Array;
  readonly #pool: WritePool | undefined;
  readonly #hooks: BackendHooks;
  /** For the current place: if it is silent, the others still get their part of the time. */
  #timer: NodeJS.Timeout | undefined;
  /** Index of the next place to try. */
  #nextPlace = 0;
  #socket: Socket | undefined;

  constructor(way: BackendWay, preamble: Uint8Array, pool: WritePool | undefined, hooks: BackendHooks) {
    this.#way = way;
    this.#preamble = preamble;
    this.#pool = pool;
    this.#hooks = hooks;
  }

  begin(): void {
    const { places, timeout } = this.#way;
    const place = places[this.#nextPlace++];
    if (place === undefined) throw new Error("a backend has a place");
    this.#timer = setTimeout(() => this.#next("timeout"), timeout / places.length);
    const to = place.kind === "unix" ? { path: place.path } : { host: place.host, port: place.port };
    const socket = connect({ ...to, allowHalfOpen: true, noDelay: true });
    this.#socket = socket;
    socket.once("error", (error) => {
      if (this.#socket === socket) this.#next(explainBackendFault(error));
    });
    socket.once("connect", () => this.#greet(socket, place));
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#socket?.removeAllListeners().on("error", ignore).destroy();
    this.#socket = undefined;
  }

  #greet(socket: Socket, place: Endpoint): void {
    const { tls } = this.#way;
    if (tls === undefined) {
      this.#arrive(socket, this.#preamble);
      return;
    }
    if (this.#preamble.length > 0) socket.write(this.#preamble);
    const secure = connectTls({
      socket: socket.removeAllListeners("error").on("error", ignore),
      secureContext: tls.context,
      rejectUnauthorized: tls.isVerified,
      ...(tls.name === undefined ? namelessRules(place) : { servername: tls.name }),
      ...(tls.alpn.length === 0 ? {} : { ALPNProtocols: [...tls.alpn] }),
    });
    this.#socket = secure;
    secure.once("error", (error) => this.#next(explainBackendFault(error)));
    secure.once("secureConnect", () => this.#arrive(secure));
  }

  #arrive(socket: Socket, preamble: Uint8Array = NOTHING): void {
    clearTimeout(this.#timer);
    this.#socket = undefined;
    const back = streamOver(socket.removeAllListeners("error"), this.#pool);
    if (preamble.length > 0) back.pass(preamble);
    this.#hooks.onReached(back);
  }

  /** Tries the next place, if there is one. */
  #next(why: string): void {
    this.cancel();
    if (this.#nextPlace < this.#way.places.length) this.begin();
    else this.#hooks.onFailed(why);
  }
}

const NOTHING = new Uint8Array(0);
const ignore = (): undefined => undefined;

/** An address must be in the certificate (RFC 9110 §4.3.5). No certificate can name a path, so any name is accepted. */
function namelessRules(place: Endpoint): Pick<ConnectionOptions, "host" | "checkServerIdentity"> {
  // Without a name Node would look for "localhost".
  return place.kind === "tcp" ? { host: place.host } : { checkServerIdentity: ignore };
}

export function explainBackendFault(fault: unknown): string {
  const code = errorCode(fault) ?? "";
  switch (code) {
    case "ECONNREFUSED":
      return "it refuses connections";
    case "ECONNRESET":
    case "EPIPE":
      return "it closed the connection";
    case "ETIMEDOUT":
      return "timeout";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "no route to host";
    case "ENOENT":
      return "there is no such socket";
    case "EACCES":
      return "permission denied";
    case "EMFILE":
    case "ENFILE":
      return "out of file descriptors";
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "it does not speak TLS";
    default:
      // The backend sends an alert, for example about our certificate.
      if (/_ALERT_/.test(code)) return `it aborted the handshake (${code})`;
      // Such as UNABLE_TO_GET_ISSUER_CERT_LOCALLY and ERR_TLS_CERT_ALTNAME_INVALID.
      if (/CERT|LEAF/.test(code)) return `its certificate is not valid (${code})`;
      return code === "" ? String(fault) : code;
  }
}
