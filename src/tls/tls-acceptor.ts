/** Handshakes of accepted clients: how many may be under way, and how they end. */
import type { PeerAddress } from "../base/endpoint.ts";
import { type OpeningDecision, openTransport } from "../transport/opening.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { TransportChoice } from "../transport/transport-choice.ts";
import { isHostName } from "./client-hello.ts";
import type { TlsRules } from "./tls-context.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { decideProxiedTls, decideTlsOpening, refuseUnknownName } from "./tls-opening.ts";
import { TlsServer } from "./tls-server.ts";
import { type TlsSession, withCertificate } from "./tls-session.ts";

export interface TlsCounts {
  /** By protocol version, such as `TLSv1.3`. */
  readonly completed: Readonly<Record<string, number>>;
  readonly resumed: number;
  /** By reason. */
  readonly failed: Readonly<Record<string, number>>;
  readonly underWay: number;
}

/** A client whose handshake is done. */
export interface SecureClient {
  /** The receiver owns it and must start or destroy it before it returns. Its peer has the verified subject. */
  readonly transport: ByteStream;
  readonly session: TlsSession;
  /** The PROXY header before the handshake; empty where there was none. */
  readonly header: Uint8Array;
  /** The SNI name (RFC 6066 §3), where it is one that a certificate can have. */
  readonly serverName: string | undefined;
}

export interface TlsAcceptorOptions {
  readonly material: TlsMaterial;
  readonly rules: TlsRules;
  readonly choice: TransportChoice;
  /** Limit of handshakes under way; further clients are disconnected. */
  readonly maxHandshakes: number;
  /** Whether the connected address is a proxy that sends PROXY headers; undefined where no proxy does. */
  readonly isTrustedProxy: ((address: string) => boolean) | undefined;
  readonly onSecure: (client: SecureClient) => void;
  /** Called with the reason why a handshake failed. */
  readonly onFailed: (why: string, peer: PeerAddress) => void;
  /** Called for a client that closed the connection without having sent anything. */
  readonly onLeft: (peer: PeerAddress) => void;
  /** Called with what was thrown; that connection is cut. */
  readonly onFault: (fault: unknown) => void;
}

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: TlsServer;
  #underWay = 0;
  readonly #completed: Record<string, number> = {};
  readonly #failed: Record<string, number> = {};
  #resumed = 0;
  #settled: Promise<void> | undefined;
  #onSettled: (() => void) | undefined;

  /** @throws what OpenSSL reports about the material or the rules */
  constructor(options: TlsAcceptorOptions) {
    this.#options = options;
    const { material, rules, choice } = options;
    this.#server = new TlsServer(material, rules, choice.kind === "handle" ? choice.pool : undefined);
  }

  get counts(): TlsCounts {
    return {
      completed: { ...this.#completed },
      resumed: this.#resumed,
      failed: { ...this.#failed },
      underWay: this.#underWay,
    };
  }

  /** @param transport  just accepted; the acceptor owns it from now on */
  accept(transport: ByteStream): void {
    const { isTrustedProxy, maxHandshakes, rules, onLeft, onFault } = this.#options;
    const { peer } = transport;
    if (this.#underWay >= maxHandshakes) {
      transport.destroy();
      this.#fail("too many handshakes (tls-handshakes)", peer);
      return;
    }
    if (isTrustedProxy?.(peer.address) === false) {
      transport.destroy();
      this.#fail("not a trusted proxy", peer);
      return;
    }
    this.#underWay += 1;
    const decideFirst = isTrustedProxy === undefined ? decideTlsOpening : decideProxiedTls;
    const decide = (bytes: Uint8Array): OpeningDecision =>
      refuseUnknownName(decideFirst(bytes), (name) => this.#server.serves(name));
    const refuse = (why: string, client: PeerAddress): void => {
      this.#fail(why, client);
      this.#leave();
    };
    openTransport(transport, decide, rules.handshakeTimeout, {
      onOpen: ({ peer: claimed, serverName }, header, hello) => {
        const client = claimed ?? peer;
        const kept = Uint8Array.from(header);
        const hostName = serverName !== undefined && isHostName(serverName) ? serverName : undefined;
        this.#server.begin(transport.detach(), serverName, hello, {
          onSecure: (session, makeTransport) => {
            this.#count(session);
            this.#leave();
            const secure = makeTransport(withCertificate(client, session));
            this.#options.onSecure({ transport: secure, session, header: kept, serverName: hostName });
          },
          onFailed: (why) => refuse(why, client),
        });
      },
      onRefused: (why) => refuse(why, peer),
      onLeft: () => {
        onLeft(peer);
        this.#leave();
      },
      onFault,
    });
  }

  /** @throws what OpenSSL reports; then everything stays as it was */
  renew(material: TlsMaterial): void {
    this.#server.renew(material);
  }

  /** Resolves when no handshake is under way. */
  settled(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    this.#settled ??= new Promise((resolve) => {
      this.#onSettled = resolve;
    });
    return this.#settled;
  }

  #count(session: TlsSession): void {
    const version = session.version ?? "unknown";
    this.#completed[version] = (this.#completed[version] ?? 0) + 1;
    if (session.isResumed) this.#resumed += 1;
  }

  #fail(why: string, peer: PeerAddress): void {
    this.#failed[why] = (this.#failed[why] ?? 0) + 1;
    this.#options.onFailed(why, peer);
  }

  #leave(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    this.#onSettled?.();
    this.#settled = undefined;
  }
}
