/**
 * All connections of a process: how many there may be, whose time is up, and how they end.
 */
import type { Socket } from "node:net";
import type { Reason } from "../http/reason.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { SocketTransport } from "./socket-transport.ts";

/** How often deadlines are looked at; a time-out is late by at most this. */
const SWEEP_INTERVAL_MS = 250;
/** How many connections beyond the limit are told so; the rest are cut, because even a refusal costs memory. */
const MAX_TURNED_AWAY = 64;
/** The same for one client: together with its limit the most places it can hold. */
const MAX_TURNED_AWAY_PER_CLIENT = 8;

export interface ConnectionCounts {
  readonly maxConnections: number;
  /** From one address; 0 for no limit. Clients on a Unix socket cannot be told apart, so they have none. */
  readonly connectionsPerClient: number;
}

export class Connections {
  readonly #context: ConnectionContext;
  readonly #limits: ConnectionCounts;
  readonly #open = new Set<Connection>();
  /** How many of them each address has, if any. */
  readonly #clients = new Map<string, number>();
  readonly #sweeper: NodeJS.Timeout;
  #emptied: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(context: ConnectionContext, limits: ConnectionCounts) {
    this.#context = context;
    this.#limits = limits;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
  }

  get count(): number {
    return this.#open.size;
  }

  /** Connections that have a request under way. */
  get busyCount(): number {
    let busy = 0;
    for (const connection of this.#open) if (connection.isBusy) busy += 1;
    return busy;
  }

  accept(socket: Socket): void {
    const transport = new SocketTransport(socket);
    const { address } = transport.peer;
    const others = this.#clients.get(address) ?? 0;
    const perClient = this.#limitFor(address);
    if (
      this.#open.size >= this.#limits.maxConnections + MAX_TURNED_AWAY ||
      others >= perClient + MAX_TURNED_AWAY_PER_CLIENT
    ) {
      socket.destroy();
      return;
    }
    const connection = new Connection(transport, this.#context, (gone) => this.#forget(gone, address));
    this.#open.add(connection);
    this.#clients.set(address, others + 1);
    transport.start(connection, this.#context.onFault);
    if (this.#open.size > this.#limits.maxConnections) this.#turnAway(connection, "too-many-connections");
    else if (others >= perClient) this.#turnAway(connection, "too-many-from-client");
  }

  /**
   * Lets every connection finish what it does, as the phase says. Resolves when the last one is gone. May be called again
   * when the phase has changed.
   */
  drain(): Promise<void> {
    for (const connection of this.#open) connection.drain();
    if (this.#open.size === 0) return Promise.resolve();
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
    return this.#emptied;
  }

  /** Cuts every connection. */
  destroyAll(): void {
    for (const connection of this.#open) connection.destroy();
  }

  /** To be called when the last connection is gone. */
  close(): void {
    clearInterval(this.#sweeper);
  }

  #sweep(): void {
    if (this.#open.size === 0) return;
    const now = this.#context.clock.monotonic();
    for (const connection of this.#open) this.#guard(connection, () => connection.sweep(now));
  }

  /** A fault of our own ends one connection and no other. */
  #guard(connection: Connection, act: () => void): void {
    try {
      act();
    } catch (fault) {
      this.#context.onFault(fault);
      connection.destroy();
    }
  }

  #turnAway(connection: Connection, reason: Reason): void {
    this.#guard(connection, () => connection.turnAway({ status: 503, reason }));
  }

  #limitFor(address: string): number {
    const { connectionsPerClient } = this.#limits;
    return connectionsPerClient === 0 || address === "unix" ? Number.POSITIVE_INFINITY : connectionsPerClient;
  }

  #forget(connection: Connection, address: string): void {
    this.#open.delete(connection);
    const others = (this.#clients.get(address) ?? 0) - 1;
    if (others > 0) this.#clients.set(address, others);
    else this.#clients.delete(address);
    if (this.#open.size === 0) this.#onEmpty?.();
  }
}
