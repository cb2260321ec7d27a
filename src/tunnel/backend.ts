/**
 * The way to a backend: its places are tried in their order until one answers, in plain or with TLS on top.
 */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type SecureContext } from "node:tls";
import type { Endpoint } from "../base/endpoint.ts";
import { errorCode } from "../base/errors.ts";
import type { Milliseconds } from "../base/units.ts";
import type { WritePool } from "../transport/handle-pool.ts";
import type { ByteStream } from "../transport/transport.ts";
import { streamOver } from "../transport/transport-choice.ts";

/** By the terminator's name; of each at least one, the preferred first. */
export type BackendEndpoints = ReadonlyMap<string, readonly Endpoint[]>;

/** How a backend is spoken to that speaks TLS itself. */
export interface BackendTls {
  readonly context: SecureContext;
  /**
   * Asked for (SNI) and, where `isVerified`, looked for in its certificate; undefined for a backend that has only an address,
   * which is looked for then, or a path.
   */
  readonly name: string | undefined;
  readonly isVerified: boolean;
  readonly alpn: readonly string[];
}

export interface BackendWay {
  /** At least one. */
  readonly places: readonly Endpoint[];
  /** Until it is reached, handshake and all; each place has an equal part of it. */
  readonly timeout: Milliseconds;
  /** Undefined where it is spoken to in plain. */
  readonly tls: BackendTls | undefined;
}

export interface BackendHooks {
  /** The connection is the taker's from now on, and is to be started at once; nothing has been read from it. */
  readonly onReached: (back: ByteStream) => void;
  /** Nothing is left open. `why` completes "the backend was not reached: …". */
  readonly onFailed: (why: string) => void;
}

/**
 * @param preamble  is written before anything else, and before a handshake
 * @param pool  undefined where handles cannot be used
 * @returns cancels it; neither hook is called then
 */
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
  /** Of the present place: where one is silent, the others have their part of the time. */
  #timer: NodeJS.Timeout | undefined;
  /** Of the places, the one to be tried next. */
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

  /** To the next place, if there is one. */
  #next(why: string): void {
    this.cancel();
    if (this.#nextPlace < this.#way.places.length) this.begin();
    else this.#hooks.onFailed(why);
  }
}

const NOTHING = new Uint8Array(0);
const ignore = (): undefined => undefined;

/** A certificate is for the address then (RFC 9110 §4.3.5); behind a path, which none can name, for whoever has it. */
function namelessRules(place: Endpoint): Pick<ConnectionOptions, "host" | "checkServerIdentity"> {
  // Where it is told nothing, Node looks for "localhost".
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
      // An alert is what the backend says: of our certificate, for one.
      if (/_ALERT_/.test(code)) return `it aborted the handshake (${code})`;
      // UNABLE_TO_GET_ISSUER_CERT_LOCALLY, ERR_TLS_CERT_ALTNAME_INVALID and their like.
      if (/CERT|LEAF/.test(code)) return `its certificate is not valid (${code})`;
      return code === "" ? String(fault) : code;
  }
}
