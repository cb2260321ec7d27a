/**
 * Accepted sockets shake hands, or are sent away: how many handshakes may be under way, and how they end.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Milliseconds } from "../base/units.ts";
import type { PeerAddress } from "../http/exchange.ts";
import { decideProxiedTls } from "./proxy-opening.ts";
import { openSocket } from "./socket-opening.ts";
import { describeHandshakeFailure } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { decideTlsOpening } from "./tls-opening.ts";
import { type TlsRules, TlsServer } from "./tls-server.ts";

export interface TlsCounts {
  /** By protocol version, such as `TLSv1.3`. */
  readonly completed: Readonly<Record<string, number>>;
  readonly resumed: number;
  /** By why. */
  readonly failed: Readonly<Record<string, number>>;
  readonly underWay: number;
}

/** A client whose handshake is done. */
export interface SecureClient {
  /** Paused, with half-open ends allowed; the taker's from now on. */
  readonly socket: TLSSocket;
  /** With what is known of its certificate. */
  readonly peer: PeerAddress;
  /** The PROXY header that came ahead of the handshake; empty where none did. */
  readonly header: Uint8Array;
}

/** Somebody who is in a handshake. */
interface Arrival {
  readonly peer: PeerAddress;
  readonly header: Uint8Array;
}

const NO_HEADER = new Uint8Array(0);

export interface TlsAcceptorOptions {
  readonly material: TlsMaterial;
  readonly rules: TlsRules;
  /** Handshakes under way; one more is sent away. */
  readonly maxHandshakes: number;
  /** Whether whoever connects is a proxy that tells who its client is (PROXY protocol); undefined where nobody does. */
  readonly isTrustedProxy: ((address: string) => boolean) | undefined;
  readonly onSecure: (client: SecureClient) => void;
  /** Told why a handshake came to nothing. */
  readonly onFailed: (why: string, peer: PeerAddress) => void;
}

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: TlsServer;
  readonly #patience: Milliseconds;
  /** Who is in a handshake, by its two ends: Node makes a socket of its own of each, which has the same ends. */
  readonly #arriving = new Map<string, Arrival>();
  /** The ends of a socket, which it forgets when it is closed. */
  readonly #ends = new WeakMap<object, string>();
  readonly #completed: Record<string, number> = {};
  readonly #failed: Record<string, number> = {};
  #resumed = 0;
  #settled: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  /** @throws what OpenSSL says of the material or the rules */
  constructor(options: TlsAcceptorOptions) {
    this.#options = options;
    this.#patience = options.rules.handshakeTimeout;
    this.#server = new TlsServer(options.material, options.rules, {
      onSecure: (socket) => this.#welcome(socket),
      onFailed: (error, socket) => this.#sendAway(socket, error),
    });
  }

  get counts(): TlsCounts {
    return {
      completed: { ...this.#completed },
      resumed: this.#resumed,
      failed: { ...this.#failed },
      underWay: this.#arriving.size,
    };
  }

  /** @param socket  just accepted, with half-open ends allowed; the acceptor's from now on */
  accept(socket: Socket): void {
    const peer = { address: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
    if (this.#arriving.size >= this.#options.maxHandshakes) {
      socket.destroy();
      this.#fail("too many handshakes at a time", peer);
      return;
    }
    const { isTrustedProxy } = this.#options;
    if (isTrustedProxy?.(peer.address) === false) {
      socket.destroy();
      this.#fail("not a trusted proxy", peer);
      return;
    }
    const ends = endsOf(socket);
    this.#ends.set(socket, ends);
    this.#arriving.set(ends, { peer, header: NO_HEADER });
    openSocket(socket, isTrustedProxy === undefined ? decideTlsOpening : decideProxiedTls, this.#patience, {
      onOpen: (claimed, header) => {
        const arrival: Arrival = { peer: claimed ?? peer, header };
        this.#arriving.set(ends, arrival);
        const forgetIfStillThere = (): void => {
          // The same ends may be those of the next connection already.
          if (this.#arriving.get(ends) === arrival) this.#forget(ends, "the client has gone");
        };
        // Whoever knows better why speaks in the same turn.
        socket.once("close", () => setImmediate(forgetIfStillThere));
        // Half a handshake is of no use: who closes one end in it has gone.
        socket.allowHalfOpen = false;
        this.#server.accept(socket);
      },
      onRefused: (why) => this.#forget(ends, why),
    });
  }

  /** @throws what OpenSSL says; then everything stays as it was */
  renew(material: TlsMaterial): void {
    this.#server.renew(material);
  }

  /** Resolves when no handshake is under way. */
  settled(): Promise<void> {
    if (this.#arriving.size === 0) return Promise.resolve();
    this.#settled ??= new Promise((resolve) => {
      this.#onSettled = resolve;
    });
    return this.#settled;
  }

  #welcome(secure: TLSSocket): void {
    const ends = this.#endsOf(secure);
    const arrival = this.#arriving.get(ends);
    // It has gone in this very moment.
    if (arrival === undefined) {
      secure.destroy();
      return;
    }
    secure.allowHalfOpen = true;
    const version = secure.getProtocol() ?? "unknown";
    this.#completed[version] = (this.#completed[version] ?? 0) + 1;
    if (secure.isSessionReused()) this.#resumed += 1;
    this.#leave(ends);
    this.#options.onSecure({ socket: secure, peer: withCertificate(arrival.peer, secure), header: arrival.header });
  }

  #sendAway(secure: TLSSocket, error: Error): void {
    const ends = this.#endsOf(secure);
    const isRefused = Boolean(secure.authorizationError);
    secure.destroy();
    this.#forget(ends, isRefused ? "the client's certificate is not accepted" : describeHandshakeFailure(error));
  }

  /** Of the socket that Node has made of one of ours. */
  #endsOf(secure: TLSSocket): string {
    const below: unknown = "_parent" in secure ? secure._parent : undefined;
    const known = typeof below === "object" && below !== null ? this.#ends.get(below) : undefined;
    return known ?? endsOf(secure);
  }

  /** Does nothing for one that is forgotten already. */
  #forget(ends: string, why: string): void {
    const arrival = this.#arriving.get(ends);
    if (arrival === undefined) return;
    this.#fail(why, arrival.peer);
    this.#leave(ends);
  }

  #fail(why: string, peer: PeerAddress): void {
    this.#failed[why] = (this.#failed[why] ?? 0) + 1;
    this.#options.onFailed(why, peer);
  }

  #leave(ends: string): void {
    this.#arriving.delete(ends);
    if (this.#arriving.size > 0) return;
    this.#onSettled?.();
    this.#settled = undefined;
  }
}

/** Of a socket, or of the one that Node has made of it: the same text. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** The subject of a certificate that was verified, as people write it (RFC 4514). */
function withCertificate(peer: PeerAddress, secure: TLSSocket): PeerAddress {
  if (!secure.authorized) return { ...peer, tls: {} };
  const { subject } = secure.getPeerX509Certificate() ?? {};
  return { ...peer, tls: subject === undefined ? {} : { subject: subject.split("\n").reverse().join(",") } };
}
