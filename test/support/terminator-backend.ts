/**
 * What stands behind a terminator in the tests: it keeps each connection, for a test to read and to answer.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Endpoint } from "../../src/base/endpoint.ts";
import { HeldEnd } from "./terminator-end.ts";
import { until } from "./until.ts";

/** `echoes`: what comes goes back, and an end is answered with an end. Otherwise the test answers. */
export type BackendManner = "echoes" | "waits";

export class Backend {
  readonly place: Endpoint;
  /** 0 on a Unix socket. */
  readonly port: number;
  readonly #server: Server;
  readonly #connections: HeldEnd[] = [];
  #taken = 0;

  private constructor(server: Server, path: string | undefined, manner: BackendManner) {
    this.#server = server;
    this.port = path === undefined ? (server.address() as AddressInfo).port : 0;
    this.place = path === undefined ? { kind: "tcp", host: "127.0.0.1", port: this.port } : { kind: "unix", path };
    server.on("connection", (socket: Socket) => {
      this.#connections.push(new HeldEnd(socket));
      if (manner === "echoes") socket.on("data", (chunk) => socket.write(chunk)).on("end", () => socket.end());
    });
  }

  /** @param at  the path of a Unix socket, or a port of 127.0.0.1: 0 for a free one */
  static async start(t: TestContext, manner: BackendManner, at: string | number = 0): Promise<Backend> {
    const server = createServer({ allowHalfOpen: true });
    if (typeof at === "number") server.listen(at, "127.0.0.1");
    else server.listen({ path: at, readableAll: true, writableAll: true });
    await once(server, "listening");
    const path = typeof at === "number" ? undefined : at;
    const backend = new Backend(server, path, manner);
    t.after(() => backend.close());
    return backend;
  }

  /** How many have connected until now. */
  get count(): number {
    return this.#connections.length;
  }

  /** The oldest connection that nobody has taken. */
  async next(): Promise<HeldEnd> {
    const held = await until("the backend has a connection", () => this.#connections[this.#taken]);
    this.#taken += 1;
    return held;
  }

  /** Nobody can connect any more, and all connections are cut. */
  async close(): Promise<void> {
    for (const held of this.#connections) held.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}
