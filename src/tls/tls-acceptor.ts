/**
 * Accepted sockets shake hands, or are sent away: how many handshakes may be under way, and how they end.
 */
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { type OpeningDecision, openSocket } from "../transport/socket-opening.ts";
import { describeHandshakeFailure } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { decideProxiedTls, decideTlsOpening, refuseUnknownName } from "./tls-opening.ts";
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
  /** The server that it has asked for (RFC 6066 §3). */
  readonly serverName: string | undefined;
}

/** Somebody who is in a handshake. */
interface Arrival {
  readonly peer: PeerAddress;
  readonly header: Uint8Array;
  readonly serverName: string | undefined;
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
  /** Who is in a handshake, by the socket that was accepted: Node makes another of it, which is above it. */
  readonly #arriving = new Map<Socket, Arrival>();
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
    this.#arriving.set(socket, { peer, header: NO_HEADER, serverName: undefined });
    const decideFirst = isTrustedProxy === undefined ? decideTlsOpening : decideProxiedTls;
    const decide = (bytes: Uint8Array): OpeningDecision =>
      refuseUnknownName(decideFirst(bytes), (name) => this.#server.serves(name));
    openSocket(socket, decide, this.#patience, {
      onOpen: ({ peer: claimed, serverName }, header) => {
        this.#arriving.set(socket, { peer: claimed ?? peer, header, serverName });
        // Whoever knows better why speaks in the same turn.
        socket.once("close", () => setImmediate(() => this.#forget(socket, "the client has gone")));
        // Half a handshake is of no use: who closes one end in it has gone.
        socket.allowHalfOpen = false;
        this.#server.accept(socket, serverName);
      },
      onRefused: (why) => this.#forget(socket, why),
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
    const socket = this.#socketBelow(secure);
    const arrival = socket && this.#arriving.get(socket);
    // It has gone in this very moment.
    if (socket === undefined || arrival === undefined) {
      secure.destroy();
      return;
    }
    secure.allowHalfOpen = true;
    const version = secure.getProtocol() ?? "unknown";
    this.#completed[version] = (this.#completed[version] ?? 0) + 1;
    if (secure.isSessionReused()) this.#resumed += 1;
    this.#leave(socket);
    const { header, serverName } = arrival;
    this.#options.onSecure({ socket: secure, peer: withCertificate(arrival.peer, secure), header, serverName });
  }

  #sendAway(secure: TLSSocket, error: Error): void {
    const socket = this.#socketBelow(secure);
    const isRefused = Boolean(secure.authorizationError);
    secure.destroy();
    if (socket !== undefined)
      this.#forget(socket, isRefused ? "the client's certificate is not accepted" : describeHandshakeFailure(error));
  }

  /** What Node has made its socket of: it has that at a place that it does not document. Both have the same ends. */
  #socketBelow(secure: TLSSocket): Socket | undefined {
    const below: unknown = "_parent" in secure ? secure._parent : undefined;
    if (below instanceof Socket) return below;
    const ends = endsOf(secure);
    return [...this.#arriving.keys()].find((socket) => endsOf(socket) === ends);
  }

  /** Does nothing for one that is forgotten already. */
  #forget(socket: Socket, why: string): void {
    const arrival = this.#arriving.get(socket);
    if (arrival === undefined) return;
    this.#fail(why, arrival.peer);
    this.#leave(socket);
  }

  #fail(why: string, peer: PeerAddress): void {
    this.#failed[why] = (this.#failed[why] ?? 0) + 1;
    this.#options.onFailed(why, peer);
  }

  #leave(socket: Socket): void {
    this.#arriving.delete(socket);
    if (this.#arriving.size > 0) return;
    this.#onSettled?.();
    this.#settled = undefined;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** The subject of a certificate that was verified, as people write it (RFC 4514). */
function withCertificate(peer: PeerAddress, secure: TLSSocket): PeerAddress {
  if (!secure.authorized) return { ...peer, tls: {} };
  const { subject } = secure.getPeerX509Certificate() ?? {};
  return { ...peer, tls: subject === undefined ? {} : { subject: subject.split("\n").reverse().join(",") } };
}
