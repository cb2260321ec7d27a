/** Listening sockets: each process accepts on descriptors that it was given, and several may share one. */
import { createServer, type Server } from "node:net";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { explainInheritedFault, explainListenFault, type ListenSocket } from "./endpoint.ts";
import { SOCKET_HIGH_WATER_MARK } from "./socket-transport.ts";
import type { ByteStream } from "./transport.ts";
import { type TransportChoice, takeTransports } from "./transport-choice.ts";

/** Receives each accepted connection, and must start or destroy it. */
export interface Reception {
  readonly choice: TransportChoice;
  readonly onAccepted: (stream: ByteStream) => void;
}

export class Listener {
  /** What is really bound. */
  readonly endpoint: Endpoint;
  readonly #server: Server;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** Listens and accepts; the listener now owns the descriptor. @throws StartupError with the endpoint and a remedy */
  static async open(
    { endpoint, descriptor }: Pick<ListenSocket, "descriptor" | "endpoint">,
    backlog: number,
    reception: Reception,
  ): Promise<Listener> {
    const server = createServer({ allowHalfOpen: true, highWaterMark: SOCKET_HIGH_WATER_MARK });
    try {
      await listening(server, descriptor, backlog);
    } catch (cause) {
      if (endpoint === undefined) {
        const why = explainInheritedFault(errorCode(cause));
        throw new StartupError(`cannot listen on the inherited descriptor ${descriptor}: ${why}`, { cause });
      }
      // Two sockets can bind one port as long as neither listens; the second fails only here.
      const why = explainListenFault(errorCode(cause), endpoint);
      throw new StartupError(`cannot listen on ${formatEndpoint(endpoint)}: ${why}`, { cause });
    }
    takeTransports(server, reception.choice, reception.onAccepted);
    // Errors of accept(2), such as too few descriptors: libuv accepts again when there are some.
    server.on("error", () => undefined);
    return new Listener(server, boundEndpoint(server, endpoint));
  }

  /** Stops accepting. Open connections continue, and other processes keep accepting. */
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

/** Node does not know the path of a Unix socket that it got as a descriptor. */
function boundEndpoint(server: Server, wanted: Endpoint | undefined): Endpoint {
  const bound = server.address();
  if (bound !== null && typeof bound === "object") {
    return { kind: "tcp", host: bound.address, port: bound.port };
  }
  return wanted ?? { kind: "unix", path: "as the service manager has named it" };
}
