/**
 * Listening sockets: each process accepts on descriptors that it was given, and several may share one.
 */
import { createServer, type Server, type Socket } from "node:net";
import { errorCode, StartupError } from "../base/errors.ts";
import { type Endpoint, explainListenFault, formatEndpoint } from "./endpoint.ts";
import { SOCKET_HIGH_WATER_MARK } from "./socket-transport.ts";
import type { AcceptedTransport } from "./transport.ts";
import { type TransportChoice, takeTransports } from "./transport-choice.ts";

/** A bound socket that this process has the descriptor of. */
export interface ListenSocket {
  readonly descriptor: number;
  /** Undefined for one that a service manager has bound. */
  readonly endpoint: Endpoint | undefined;
  /** Present where a service manager has bound it for TLS; else the endpoint says so. */
  readonly isTls?: true;
}

/** What comes is the caller's to start or to destroy. */
export interface ListenerHooks {
  readonly onPlain: (transport: AcceptedTransport) => void;
  /** For a listener whose endpoint says so; no byte has been read. */
  readonly onTls: (socket: Socket) => void;
}

export class Listener {
  /** What is really bound. */
  readonly endpoint: Endpoint;
  readonly #server: Server;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /**
   * Listens and accepts. The descriptor is the listener's from now on.
   *
   * @throws StartupError that names the endpoint and what would help
   */
  static async open(
    { endpoint, descriptor, isTls: isNamedTls }: ListenSocket,
    backlog: number,
    choice: TransportChoice,
    { onPlain, onTls }: ListenerHooks,
  ): Promise<Listener> {
    const server = createServer({ allowHalfOpen: true, highWaterMark: SOCKET_HIGH_WATER_MARK });
    const isTls = isNamedTls === true || (endpoint?.kind === "tcp" && endpoint.isTls === true);
    try {
      await listening(server, descriptor, backlog);
    } catch (cause) {
      if (endpoint === undefined) {
        throw new StartupError(`cannot listen on the inherited descriptor ${descriptor}: ${String(cause)}`, { cause });
      }
      // Of two sockets on one port, as long as neither listens, the second finds out only here.
      const why = explainListenFault(errorCode(cause), endpoint);
      throw new StartupError(`cannot listen on ${formatEndpoint(endpoint)}: ${why}`, { cause });
    }
    if (isTls) server.on("connection", (socket) => onTls(socket.setNoDelay()));
    else takeTransports(server, choice, onPlain);
    // Faults of accept(2), such as running out of descriptors: libuv goes on accepting when there are some again.
    server.on("error", () => undefined);
    return new Listener(server, boundEndpoint(server, endpoint, isTls));
  }

  /** Stops accepting. Connections that exist go on, and other processes go on accepting. */
  close(): void {
    this.#server.close();
  }
}

function listening(server: Server, descriptor: number, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd: descriptor }, backlog, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Node does not know the path of a Unix socket that it was given the descriptor of. */
function boundEndpoint(server: Server, wanted: Endpoint | undefined, isTls: boolean): Endpoint {
  const bound = server.address();
  if (bound !== null && typeof bound === "object") {
    return { kind: "tcp", host: bound.address, port: bound.port, ...(isTls ? { isTls } : {}) };
  }
  return wanted ?? { kind: "unix", path: "as the service manager has named it" };
}
