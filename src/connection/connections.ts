/** All connections of a process: their limit, their deadlines, and how they end. */
import type { Reason } from "../http/reason.ts";
import type { AcceptedTransport } from "../transport/transport.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection-context.ts";

/** How often deadlines are checked; a timeout is late by at most this. */
const SWEEP_INTERVAL_MS = 250;
/** Connections beyond the limit that get a refusal; further ones are cut, because even a refusal costs memory. */
const MAX_TURNED_AWAY = 64;
/** The same for one client: the most places it can hold beyond its limit. */
const MAX_TURNED_AWAY_PER_CLIENT = 8;

export interface ConnectionCounts {
  readonly maxConnections: number;
  /** From one address; 0 for no limit. Clients on a Unix socket cannot be distinguished, so they have no limit. */
  readonly connectionsPerClient: number;
}

export class Connections {
  readonly #context: ConnectionContext;
  readonly #limits: ConnectionCounts;
  /** Each with the address that is counted, if any. */
  readonly #open = new Map<Connection, string | undefined>();
  /** Number of connections per counted address. */
  readonly #clients = new Map<string, number>();
  readonly #onGone = (connection: Connection): void => this.#forget(connection);
  /** Runs while there are connections or memory for them, so that a server without clients sleeps. */
  #sweeper: NodeJS.Timeout | undefined;
  #emptied: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(context: ConnectionContext, limits: ConnectionCounts) {
    this.#context = context;
    this.#limits = limits;
  }

  get count(): number {
    return this.#open.size;
  }

  get busyCount(): number {
    let busy = 0;
    for (const connection of this.#open.keys()) if (connection.isBusy) busy += 1;
    return busy;
  }

  accept(transport: AcceptedTransport): void {
    const client = this.#limitedClient(transport);
    const others = client === undefined ? 0 : (this.#clients.get(client) ?? 0);
    const perClient = client === undefined ? Number.POSITIVE_INFINITY : this.#limits.connectionsPerClient;
    if (
      this.#open.size >= this.#limits.maxConnections + MAX_TURNED_AWAY ||
      others >= perClient + MAX_TURNED_AWAY_PER_CLIENT
    ) {
      transport.destroy();
      return;
    }
    const connection = new Connection(transport, this.#context, this.#onGone);
    this.#open.set(connection, client);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    if (client !== undefined) this.#clients.set(client, others + 1);
    transport.start(connection, this.#context.onFault);
    if (this.#open.size > this.#limits.maxConnections) this.#reject(connection, "too-many-connections");
    else if (others >= perClient) this.#reject(connection, "too-many-from-client");
  }

  /** Lets connections finish as the phase says; resolves when the last is gone. Call it again after a phase change. */
  drain(): Promise<void> {
    for (const connection of this.#open.keys()) connection.drain();
    if (this.#open.size === 0) return Promise.resolve();
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
    return this.#emptied;
  }

  destroyAll(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }

  /** Call it when the last connection is gone. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #sweep(): void {
    const holdsMemory = this.#context.buffers.sweep();
    if (this.#open.size === 0 && !holdsMemory) this.close();
    const now = this.#context.clock.monotonic();
    for (const connection of this.#open.keys()) this.#guard(connection, () => connection.sweep(now));
  }

  /** An error of our own ends only this connection. */
  #guard(connection: Connection, act: () => void): void {
    try {
      act();
    } catch (fault) {
      this.#context.onFault(fault);
      connection.destroy();
    }
  }

  #reject(connection: Connection, reason: Reason): void {
    this.#guard(connection, () => connection.reject({ status: 503, reason }));
  }

  /** The counted address, if any: without a limit we do not ask the kernel for it. */
  #limitedClient(transport: AcceptedTransport): string | undefined {
    if (this.#limits.connectionsPerClient === 0) return undefined;
    const { address } = transport.peer;
    return address === "unix" ? undefined : address;
  }

  #forget(connection: Connection): void {
    const client = this.#open.get(connection);
    this.#open.delete(connection);
    if (client !== undefined) {
      const others = (this.#clients.get(client) ?? 0) - 1;
      if (others > 0) this.#clients.set(client, others);
      else this.#clients.delete(client);
    }
    if (this.#open.size > 0) return;
    this.#onEmpty?.();
    this.#emptied = undefined;
  }
}
