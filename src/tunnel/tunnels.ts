/** A terminator's connections, each joined with one to the backend: their limit, their timeouts, and how they end. */
import type { Clock } from "../base/clock.ts";
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import type { WritePool } from "../transport/handle-pool.ts";
import type { ByteStream } from "../transport/transport.ts";
import { type BackendWay, reachBackend } from "./backend.ts";
import { Tunnel, type TunnelContext } from "./tunnel.ts";

/** How often timeouts are checked; a timeout is late by at most this. */
const SWEEP_INTERVAL_MS = 1000;
/** While stopping, a tunnel that is silent for so long counts as ended. */
const QUIET = milliseconds(1000);
const STOP_SWEEP_INTERVAL_MS = 100;

export interface TunnelOptions {
  /** Further connections are cut. */
  readonly maxConnections: number;
  /** Infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  readonly clock: Clock;
  /** For connections to the backend; undefined where handles cannot be used. */
  readonly pool: WritePool | undefined;
  /** Called for each connection, because the backend's addresses may change. */
  readonly way: () => BackendWay;
  /** Called with the reason why the backend was not reached. */
  readonly onUnreached: (why: string, peer: PeerAddress) => void;
  readonly onRejected: (peer: PeerAddress) => void;
  /** Called with what was thrown; that tunnel is cut. */
  readonly onFault: (fault: unknown) => void;
}

export interface TunnelCounts {
  readonly open: number;
  /** Since the start: backend reached, and not reached. */
  readonly opened: number;
  readonly unreached: number;
  readonly fromClients: Bytes;
  readonly fromBackend: Bytes;
}

export class Tunnels {
  readonly #options: TunnelOptions;
  readonly #context: TunnelContext;
  /** Tunnels without a backend yet, each with the function that cancels the connect. */
  readonly #waiting = new Map<Tunnel, () => void>();
  readonly #joined = new Set<Tunnel>();
  #opened = 0;
  #unreached = 0;
  /** Bytes of tunnels that have ended. */
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

  /** Connects to the backend, sends `preamble`, joins both. Owns `front` from now on; `peer` is for messages. */
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
   * `isStopping` ends silent tunnels in good order; otherwise all continue until they end. May be called again.
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

  destroyAll(): void {
    for (const tunnel of [...this.#waiting.keys(), ...this.#joined]) tunnel.destroy();
  }

  /** Call it when the last connection is gone. */
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
    // The front was lost before the backend was reached.
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
