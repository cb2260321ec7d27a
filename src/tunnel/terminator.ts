/**
 * A TLS terminator: whoever comes shakes hands, and what he then says goes on to the backend, one connection for each.
 * Or the other way round: who comes speaks plain, and the backend TLS.
 */
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Endpoint, PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { type AnnouncementForm, encodeAnnouncement } from "../proxy/announce.ts";
import { TlsAcceptor, type TlsCounts } from "../tls/tls-acceptor.ts";
import type { TlsRules } from "../tls/tls-context.ts";
import type { TlsMaterial } from "../tls/tls-identity.ts";
import { openTransport } from "../transport/opening.ts";
import { decideProxied } from "../transport/proxy-opening.ts";
import { SocketTransport } from "../transport/socket-transport.ts";
import { describeClient } from "./announced-client.ts";
import type { BackendTls } from "./backend.ts";
import type { SpliceKit } from "./splice-kit.ts";
import { type TunnelCounts, Tunnels } from "./tunnels.ts";

/** Which side speaks TLS. */
export type TerminatorSide =
  | { readonly kind: "front"; readonly material: TlsMaterial; readonly rules: TlsRules; readonly maxHandshakes: number }
  | { readonly kind: "back"; readonly tls: BackendTls };

export interface TerminatorOptions {
  readonly side: TerminatorSide;
  readonly places: readonly Endpoint[];
  readonly announcement: AnnouncementForm;
  /** Who may say for whom it comes, where that is passed on. */
  readonly isTrustedProxy: (address: string) => boolean;
  readonly maxConnections: number;
  /** Silence after which TCP asks whether a client is there still. */
  readonly keepalive: Milliseconds;
  readonly connectTimeout: Milliseconds;
  /** For the PROXY header of a plain connection: handshakes have their own in the rules. */
  readonly headerTimeout: Milliseconds;
  /** Infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  readonly clock: Clock;
  /** As a `SpliceContext` has it. */
  readonly kit: SpliceKit | undefined;
  /** Told why somebody was not served. */
  readonly onRefused: (why: string, peer: PeerAddress) => void;
}

export class Terminator {
  readonly #options: TerminatorOptions;
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #tunnels: Tunnels;
  /** Plain clients that have not said yet for whom they come. */
  readonly #opening = new Set<Socket>();
  #places: readonly Endpoint[];
  #backendTls: BackendTls | undefined;

  /** @throws what OpenSSL says of the material or the rules */
  constructor(options: TerminatorOptions) {
    const { side, announcement, isTrustedProxy, maxConnections, idleTimeout, clock, kit, onRefused } = options;
    this.#options = options;
    this.#places = options.places;
    this.#tunnels = new Tunnels({
      maxConnections,
      idleTimeout,
      clock,
      kit,
      way: () => ({ places: this.#places, patience: options.connectTimeout, tls: this.#backendTls }),
      onUnreached: (why, peer) => onRefused(`the backend was not reached: ${why}`, peer),
      onTurnedAway: (peer) => onRefused("too many connections", peer),
    });
    this.#backendTls = side.kind === "back" ? side.tls : undefined;
    if (side.kind === "back") return;
    this.#acceptor = new TlsAcceptor({
      material: side.material,
      rules: side.rules,
      choice: { kind: "socket", why: "" },
      maxHandshakes: side.maxHandshakes,
      isTrustedProxy: announcement === "passed-on" ? isTrustedProxy : undefined,
      onSecure: ({ transport, header, serverName }) => {
        const carrier = transport.detach();
        if (carrier.kind === "socket") this.#passOn(carrier.socket, transport.peer, header, serverName);
      },
      onFailed: (why, peer) => onRefused(`TLS handshake failed: ${why}`, peer),
      onFault: (fault) => {
        throw fault;
      },
    });
  }

  /** Undefined where the clients speak plain. */
  get handshakes(): TlsCounts | undefined {
    return this.#acceptor?.counts;
  }

  get counts(): TunnelCounts {
    return this.#tunnels.counts;
  }

  /** @param socket  just accepted, with half-open ends allowed; the terminator's from now on */
  accept(socket: Socket): void {
    socket.setKeepAlive(true, this.#options.keepalive);
    if (this.#acceptor === undefined) this.#acceptPlain(socket);
    else this.#acceptor.accept(new SocketTransport(socket));
  }

  /** @throws what OpenSSL says; then everything stays as it was */
  renew(material: TlsMaterial): void {
    this.#acceptor?.renew(material);
  }

  /** Connections to the backend that begin from now on are sealed so. */
  renewBackend(tls: BackendTls): void {
    this.#backendTls = tls;
  }

  /** From now on the backend is there. */
  redirect(places: readonly Endpoint[]): void {
    this.#places = places;
  }

  /** As `Tunnels.drain`; who shakes hands still is passed on first, and who has said nothing yet is cut. */
  async drain(isStopping: boolean): Promise<void> {
    for (const socket of this.#opening) socket.destroy();
    // Those that are joined do not wait for somebody who is slow to shake hands.
    await Promise.all([this.#acceptor?.settled(), this.#tunnels.drain(isStopping)]);
    await this.#tunnels.drain(isStopping);
  }

  destroyAll(): void {
    this.#tunnels.destroyAll();
  }

  close(): void {
    this.#tunnels.close();
  }

  #acceptPlain(socket: Socket): void {
    const { announcement, isTrustedProxy, headerTimeout, maxConnections, onRefused } = this.#options;
    const peer: PeerAddress = { address: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
    if (announcement !== "passed-on") {
      this.#passOn(socket.pause(), peer, new Uint8Array(0), undefined);
      return;
    }
    if (!isTrustedProxy(peer.address)) {
      socket.destroy();
      onRefused("not a trusted proxy", peer);
      return;
    }
    if (this.#opening.size >= maxConnections) {
      socket.destroy();
      onRefused("too many connections", peer);
      return;
    }
    this.#opening.add(socket);
    const transport = new SocketTransport(socket);
    openTransport(transport, decideProxied, headerTimeout, {
      onOpen: ({ peer: claimed }, header, rest) => {
        this.#opening.delete(socket);
        transport.detach();
        socket.unshift(Buffer.from(rest));
        this.#passOn(socket, claimed ?? peer, header, undefined);
      },
      onRefused: (why) => {
        this.#opening.delete(socket);
        onRefused(why, peer);
      },
      onFault: (fault) => {
        throw fault;
      },
    });
  }

  #passOn(socket: Socket, peer: PeerAddress, header: Uint8Array, serverName: string | undefined): void {
    const told = describeClient(socket, peer, header, serverName);
    if (told === undefined) socket.destroy();
    else this.#tunnels.open(socket, encodeAnnouncement(this.#options.announcement, told), peer);
  }
}
