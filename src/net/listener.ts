/**
 * Listening sockets: bound in one place, closed in one place.
 */
import { lstatSync, statSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { errorCode, StartupError } from "../base/errors.ts";
import { type Endpoint, explainListenFault, formatEndpoint, toListenOptions } from "./endpoint.ts";
import { shareReads } from "./shared-reads.ts";
import { SOCKET_HIGH_WATER_MARK } from "./socket-transport.ts";

export class Listener {
  /** What is really bound: port 0 has become a number. */
  readonly endpoint: Endpoint;
  readonly #server: Server;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /**
   * Binds and listens.
   *
   * @param onSocket  called for each accepted socket, which is then the caller's. A chunk it emits with `data` is valid
   *                  only during the event
   * @throws StartupError that names the endpoint and what would help
   */
  static async open(endpoint: Endpoint, backlog: number, onSocket: (socket: Socket) => void): Promise<Listener> {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, highWaterMark: SOCKET_HIGH_WATER_MARK },
      onSocket,
    );
    try {
      if (endpoint.kind === "unix") await removeStaleSocket(endpoint.path);
      await listening(server, endpoint, backlog);
    } catch (cause) {
      const why = explainListenFault(errorCode(cause), endpoint);
      throw new StartupError(`cannot listen on ${formatEndpoint(endpoint)}: ${why}`, { cause });
    }
    shareReads(server, SOCKET_HIGH_WATER_MARK, onSocket);
    // Faults of accept(2), such as running out of descriptors: libuv goes on accepting when there are some again.
    server.on("error", () => undefined);
    return new Listener(server, boundEndpoint(server, endpoint));
  }

  /** Stops accepting. Connections that exist go on. */
  close(): void {
    this.#server.close();
  }
}

function listening(server: Server, endpoint: Endpoint, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(toListenOptions(endpoint, backlog), () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function boundEndpoint(server: Server, wanted: Endpoint): Endpoint {
  const bound = server.address();
  if (wanted.kind === "unix" || bound === null || typeof bound === "string") return wanted;
  return { kind: "tcp", host: bound.address, port: bound.port };
}

/**
 * A socket file outlives its server; one that nobody answers on is removed, anything else stays.
 *
 * @throws ENOENT when there is no directory for it, which listening itself reports as a lack of rights
 */
async function removeStaleSocket(path: string): Promise<void> {
  statSync(path.slice(0, path.lastIndexOf("/") + 1));
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  if (await isRefused(path)) unlinkSync(path);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(errorCode(error) === "ECONNREFUSED"));
  });
}
