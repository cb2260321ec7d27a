/**
 * A TLS terminator: TLS clients to a plain backend, or plain clients to a TLS backend; one connection for each client.
 */
import type { Clock } from "../base/clock.ts";
import type { Endpoint, PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { encodePreamble, type PreambleForm } from "../proxy/encode.ts";
import { TlsAcceptor, type TlsCounts } from "../tls/tls-acceptor.ts";
import type { TlsRules } from "../tls/tls-context.ts";
import type { TlsMaterial } from "../tls/tls-identity.ts";
import { openProxied } from "../transport/proxy-opening.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { TransportChoice } from "../transport/transport-choice.ts";
import type { BackendTls } from "./backend.ts";
import { type ClientFacts, describeClient } from "./preamble-facts.ts";
import { type TunnelCounts, Tunnels } from "./tunnels.ts";

/** Which side speaks TLS. */
export type TerminatorSide =
  | { readonly kind: "front"; readonly material: TlsMaterial; readonly rules: TlsRules; readonly maxHandshakes: number }
  | { readonly kind: "back"; readonly tls: BackendTls };

export interface TerminatorOptions {
  readonly side: TerminatorSide;
  readonly places: readonly Endpoint[];
  readonly preamble: PreambleForm;
  /** Which proxies may name another client, where their header is passed on. */
  readonly isTrustedProxy: (address: string) => boolean;
  readonly maxConnections: number;
  /** Silence after which TCP probes the client. */
  readonly keepalive: Milliseconds;
  readonly connectTimeout: Milliseconds;
  /** For the PROXY header of a plain connection; handshakes have their own timeout in the rules. */
  readonly headerTimeout: Milliseconds;
  /** Infinite for no limit. */
  readonly idleTimeout: Milliseconds;
  readonly clock: Clock;
  readonly choice: TransportChoice;
  /** Called with the reason why a client was not served. */
  readonly onRefused: (why: string, peer: PeerAddress) => void;
  /** Called for a client that closed the connection without having sent anything. */
  readonly onLeft: (peer: PeerAddress) => void;
  /** Called with what was thrown; that connection is cut. */
  readonly onFault: (fault: unknown) => void;
}

export class Terminator {
  readonly #options: TerminatorOptions;
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #tunnels: Tunnels;
  /** Plain clients whose PROXY header is not complete yet. */
  readonly #opening = new Set<ByteStream>();
  #places: readonly Endpoint[];
  #backendTls: BackendTls | undefined;

  /** @throws what OpenSSL reports about the material or the rules */
  constructor(options: TerminatorOptions) {
    const { side, preamble, isTrustedProxy, maxConnections, idleTimeout, clock, choice } = options;
    const { onRefused, onLeft, onFault } = options;
    this.#options = options;
    this.#places = options.places;
    this.#tunnels = new Tunnels({
      maxConnections,
      idleTimeout,
      clock,
      pool: choice.kind === "handle" ? choice.pool : undefined,
      way: () => ({ places: this.#places, timeout: options.connectTimeout, tls: this.#backendTls }),
      onUnreached: (why, peer) => onRefused(`cannot connect to the backend: ${why}`, peer),
      onRejected: (peer) => onRefused("too many connections", peer),
      onFault,
    });
    this.#backendTls = side.kind === "back" ? side.tls : undefined;
    if (side.kind === "back") return;
    this.#acceptor = new TlsAcceptor({
      material: side.material,
      rules: side.rules,
      choice,
      maxHandshakes: side.maxHandshakes,
      isTrustedProxy: preamble === "passed-on" ? isTrustedProxy : undefined,
      onSecure: ({ transport, ...facts }) => this.#passOn(transport, facts),
      onFailed: (why, peer) => onRefused(`TLS handshake failed: ${why}`, peer),
      onLeft,
      onFault,
    });
  }

  /** Undefined where clients speak plain. */
  get handshakes(): TlsCounts | undefined {
    return this.#acceptor?.counts;
  }

  get counts(): TunnelCounts {
    return this.#tunnels.counts;
  }

  /** @param stream  just accepted; the terminator owns it from now on */
  accept(stream: ByteStream): void {
    stream.keepAlive(this.#options.keepalive);
    if (this.#acceptor === undefined) this.#acceptPlain(stream);
    else this.#acceptor.accept(stream);
  }

  /** @throws what OpenSSL reports; then everything stays as it was */
  renew(material: TlsMaterial): void {
    this.#acceptor?.renew(material);
  }

  /** For new connections to the backend. */
  renewBackend(tls: BackendTls): void {
    this.#backendTls = tls;
  }

  /** For new connections to the backend. */
  moveBackends(places: readonly Endpoint[]): void {
    this.#places = places;
  }

  /** As `Tunnels.drain`. Passes on clients still shaking hands; cuts those without a complete PROXY header. */
  async drain(isStopping: boolean): Promise<void> {
    for (const stream of this.#opening) stream.destroy();
    // Joined connections do not wait for slow handshakes.
    await Promise.all([this.#acceptor?.settled(), this.#tunnels.drain(isStopping)]);
    await this.#tunnels.drain(isStopping);
  }

  destroyAll(): void {
    this.#tunnels.destroyAll();
  }

  close(): void {
    this.#tunnels.close();
  }

  #acceptPlain(stream: ByteStream): void {
    const { preamble, isTrustedProxy, headerTimeout, maxConnections, onRefused, onLeft, onFault } = this.#options;
    const { peer } = stream;
    if (preamble !== "passed-on") {
      this.#passOn(stream, NO_FACTS);
      return;
    }
    if (isTrustedProxy(peer.address) && this.#opening.size >= maxConnections) {
      stream.destroy();
      onRefused("too many connections", peer);
      return;
    }
    this.#opening.add(stream);
    openProxied(stream, isTrustedProxy, headerTimeout, {
      onOpen: (header) => {
        this.#opening.delete(stream);
        this.#passOn(stream, { header });
      },
      onRefused: (why) => {
        this.#opening.delete(stream);
        onRefused(why, peer);
      },
      onLeft: () => {
        this.#opening.delete(stream);
        onLeft(peer);
      },
      onFault,
    });
  }

  #passOn(stream: ByteStream, facts: ClientFacts): void {
    const told = describeClient(stream, facts);
    if (told === undefined) stream.destroy();
    else this.#tunnels.open(stream, encodePreamble(this.#options.preamble, told), stream.peer);
  }
}

const NO_FACTS: ClientFacts = { header: new Uint8Array(0) };
