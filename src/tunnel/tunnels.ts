/**
 * All connections that a terminator passes on, each joined with one of its own to the backend: how many there may be,
 * whose time is up, and how they end.
 */
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import { type BackendWay, reachBackend } from "./backend.ts";
import { Splice, type SpliceContext } from "./splice.ts";
import type { SpliceKit } from "./splice-kit.ts";

/** How often time-outs are looked at; one is late by at most this. */
const SWEEP_INTERVAL_MS = 1000;
/** At a stop, what has been silent for so long is taken to have ended. */
const QUIET = milliseconds(1000);
const STOP_SWEEP_INTERVAL_MS = 100;
const MAX_UNSENT = bytes(64 * 1024);

export interface TunnelOptions {
  /** One more connection is cut. */
  readonly maxConnections: number;
  /** Infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  readonly clock: Clock;
  /** As a `SpliceContext` has it. */
  readonly kit: SpliceKit | undefined;
  /** Asked for each connection, because the backend's addresses may change. */
  readonly way: () => BackendWay;
  /** Told why the backend was not reached. */
  readonly onUnreached: (why: string, peer: PeerAddress) => void;
  readonly onTurnedAway: (peer: PeerAddress) => void;
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
  readonly #context: SpliceContext;
  /** Whose backend is not reached yet, and how to give that up. */
  readonly #waiting = new Map<Socket, () => void>();
  readonly #joined = new Set<Splice>();
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
      maxUnsent: MAX_UNSENT,
      idleTimeout: options.idleTimeout,
      kit: options.kit,
      onGone: (splice) => this.#forget(splice),
    };
  }

  get count(): number {
    return this.#waiting.size + this.#joined.size;
  }

  get counts(): TunnelCounts {
    let fromClients = this.#fromClients;
    let fromBackend = this.#fromBackend;
    for (const splice of this.#joined) {
      fromClients += splice.fromFront;
      fromBackend += splice.fromBack;
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
   * @param front  paused, with half-open ends allowed; the tunnels' from now on
   * @param announcement  what the backend gets first
   * @param peer  whose connection it is, for messages
   */
  open(front: Socket, announcement: Uint8Array, peer: PeerAddress): void {
    const { maxConnections, way, clock, onUnreached, onTurnedAway } = this.#options;
    if (this.count >= maxConnections) {
      front.destroy();
      onTurnedAway(peer);
      return;
    }
    // Until it is joined nobody else would hear of it. Node does not close TLS by itself after a record that cannot be opened.
    const onError = (): void => void front.destroy();
    front.on("error", onError);
    const onGone = (): void => {
      this.#waiting.get(front)?.();
      this.#leave(front);
    };
    front.once("close", onGone);
    const giveUp = reachBackend(way(), announcement, {
      onReached: (back) => {
        this.#waiting.delete(front);
        front.off("close", onGone).off("error", onError);
        this.#opened += 1;
        this.#joined.add(new Splice(front, back, this.#context, clock.monotonic()));
      },
      onFailed: (why) => {
        this.#unreached += 1;
        this.#waiting.delete(front);
        front.destroy();
        onUnreached(why, peer);
        this.#noteEmpty();
      },
    });
    this.#waiting.set(front, giveUp);
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
    for (const front of this.#waiting.keys()) front.destroy();
    for (const splice of this.#joined) splice.destroy();
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
    for (const splice of this.#joined) {
      splice.sweep(now);
      if (this.#isStopping) splice.endIfQuiet(now, QUIET);
    }
  }

  #forget(splice: Splice): void {
    this.#joined.delete(splice);
    this.#fromClients += splice.fromFront;
    this.#fromBackend += splice.fromBack;
    this.#noteEmpty();
  }

  #leave(front: Socket): void {
    this.#waiting.delete(front);
    this.#noteEmpty();
  }

  #noteEmpty(): void {
    if (this.count > 0) return;
    this.#onEmpty?.();
    this.#emptied = undefined;
  }
}
