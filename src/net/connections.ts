/**
 * All connections of a process: how many there may be, whose time is up, and how they end.
 */
import type { Socket } from "node:net";
import { Connection, type ConnectionContext } from "./connection.ts";
import { SocketTransport } from "./socket-transport.ts";

/** How often deadlines are looked at; a time-out is late by at most this. */
const SWEEP_INTERVAL_MS = 250;
/** How many connections beyond the limit are told so; the rest are cut, because even a refusal costs memory. */
const MAX_TURNED_AWAY = 64;

export class Connections {
  readonly #context: ConnectionContext;
  readonly #maxConnections: number;
  readonly #open = new Set<Connection>();
  readonly #sweeper: NodeJS.Timeout;
  #onEmpty: (() => void) | undefined;

  constructor(context: ConnectionContext, maxConnections: number) {
    this.#context = context;
    this.#maxConnections = maxConnections;
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
    if (this.#open.size >= this.#maxConnections + MAX_TURNED_AWAY) {
      socket.destroy();
      return;
    }
    const transport = new SocketTransport(socket);
    const connection = new Connection(transport, this.#context, (gone) => this.#forget(gone));
    this.#open.add(connection);
    transport.start(connection, this.#context.onFault);
    if (this.#open.size > this.#maxConnections) {
      this.#guard(connection, () => connection.turnAway({ status: 503, reason: "too-many-connections" }));
    }
  }

  /** Lets every connection finish what it does. Resolves when the last one is gone. */
  drain(): Promise<void> {
    for (const connection of this.#open) connection.drain();
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
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

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#onEmpty?.();
  }
}
