/**
 * All connections that a terminator passes on, each joined with one of its own to the backend: how many there may be,
 * whose time is up, and how they end.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import type { WritePool } from "../transport/handle-pool.ts";
import type { ByteStream } from "../transport/transport.ts";
import { type BackendWay, reachBackend } from "./backend.ts";
import { Tunnel, type TunnelContext } from "./tunnel.ts";

/** How often time-outs are looked at; one is late by at most this. */
const SWEEP_INTERVAL_MS = 1000;
/** At a stop, what has been silent for so long is taken to have ended. */
const QUIET = milliseconds(1000);
const STOP_SWEEP_INTERVAL_MS = 100;

export interface TunnelOptions {
  /** One more connection is cut. */
  readonly maxConnections: number;
  /** Infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  readonly clock: Clock;
  /** For connections to the backend; undefined where handles cannot be used. */
  readonly pool: WritePool | undefined;
  /** Asked for each connection, because the backend's addresses may change. */
  readonly way: () => BackendWay;
  /** Told why the backend was not reached. */
  readonly onUnreached: (why: string, peer: PeerAddress) => void;
  readonly onRejected: (peer: PeerAddress) => void;
  /** Told what was thrown; that tunnel is cut. */
  readonly onFault: (fault: unknown) => void;
}

export interface TunnelCounts {
  readonly open: number;
  /** Since the start: whose backend was reached, and whose was not. */
  readonly opened: number;
  readonly unreached: number;
  /** What the clients sent, and what the backend sent. */
  readonly fromClients: Bytes;
  readonly fromBackend: Bytes;
}

export class Tunnels {
  readonly #options: TunnelOptions;
  readonly #context: TunnelContext;
  /** Whose backend is not reached yet, and how to cancel that. */
  readonly #waiting = new Map<Tunnel, () => void>();
  readonly #joined = new Set<Tunnel>();
  #opened = 0;
  #unreached = 0;
  /** Of those that have ended. */
  #fromClients = 0;
  #fromBackend = 0;
  /** Runs while there are connections, so that a server without clients sleeps. */
  #sweeper: NodeJS.Timeout | undefined;
  #isStopping = false;
  #emptied: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#context = {
      idleTimeout: options.idleTimeout,
      onGone: (tunnel) => this.#forget(tunnel),
      onFault: options.onFault,
    };
  }

  get count(): number {
    return this.#waiting.size + this.#joined.size;
  }

  get counts(): TunnelCounts {
    let fromClients = this.#fromClients;
    let fromBackend = this.#fromBackend;
    for (const tunnel of this.#joined) {
      fromClients += tunnel.fromFront;
      fromBackend += tunnel.fromBack;
    }
    return {
      open: this.count,
      opened: this.#opened,
      unreached: this.#unreached,
      fromClients: bytes(fromClients),
      fromBackend: bytes(fromBackend),
    };
  }

  /**
   * Connects to the backend and joins both.
   *
   * @param front  the tunnels' from now on
   * @param preamble  what the backend gets first
   * @param peer  whose connection it is, for messages
   */
  open(front: ByteStream, preamble: Uint8Array, peer: PeerAddress): void {
    const { maxConnections, pool, way, clock, onUnreached, onRejected } = this.#options;
    if (this.count >= maxConnections) {
      front.destroy();
      onRejected(peer);
      return;
    }
    const tunnel = new Tunnel(front, this.#context, clock.monotonic());
    const cancel = reachBackend(way(), preamble, pool, {
      onReached: (back) => {
        this.#waiting.delete(tunnel);
        this.#opened += 1;
        this.#joined.add(tunnel);
        tunnel.join(back, clock.monotonic());
      },
      onFailed: (why) => {
        this.#unreached += 1;
        this.#waiting.delete(tunnel);
        front.destroy();
        onUnreached(why, peer);
        this.#noteEmpty();
      },
    });
    this.#waiting.set(tunnel, cancel);
    this.#watch(SWEEP_INTERVAL_MS);
  }

  /**
   * @param isStopping  ends what is silent, in good order; else all go on until they end by themselves. May be called again
   * @returns when the last one is gone
   */
  drain(isStopping: boolean): Promise<void> {
    if (isStopping && !this.#isStopping) {
      this.#isStopping = true;
      this.close();
      if (this.count > 0) this.#watch(STOP_SWEEP_INTERVAL_MS);
    }
    if (this.count === 0) return Promise.resolve();
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
    return this.#emptied;
  }

  /** Cuts every connection. */
  destroyAll(): void {
    for (const tunnel of [...this.#waiting.keys(), ...this.#joined]) tunnel.destroy();
  }

  /** To be called when the last connection is gone. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #watch(interval: number): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), interval);
  }

  #sweep(): void {
    if (this.count === 0) this.close();
    const now = this.#options.clock.monotonic();
    for (const tunnel of this.#joined) {
      tunnel.sweep(now);
      if (this.#isStopping) tunnel.endIfQuiet(now, QUIET);
    }
  }

  #forget(tunnel: Tunnel): void {
    if (this.#joined.delete(tunnel)) {
      this.#fromClients += tunnel.fromFront;
      this.#fromBackend += tunnel.fromBack;
    }
    // Its front is lost before its backend was reached.
    this.#waiting.get(tunnel)?.();
    this.#waiting.delete(tunnel);
    this.#noteEmpty();
  }

  #noteEmpty(): void {
    if (this.count > 0) return;
    this.#onEmpty?.();
    this.#emptied = undefined;
  }
}
