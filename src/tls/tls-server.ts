/**
 * Which identity a client gets, decided by the name that it asks for, and which handshakes: on the handle that was accepted, or
 * on a socket.
 */
import type { WritePool } from "../transport/handle-pool.ts";
import type { Carrier } from "../transport/transport.ts";
import { HandleHandshakes } from "./handle-handshakes.ts";
import { SocketHandshakes } from "./socket-handshakes.ts";
import type { TlsRules } from "./tls-context.ts";
import { findByName, type TlsMaterial } from "./tls-identity.ts";
import type { HandshakeHooks } from "./tls-session.ts";

export class TlsServer {
  readonly #rules: TlsRules;
  readonly #pool: WritePool | undefined;
  #material: TlsMaterial;
  #onHandles: HandleHandshakes | undefined;
  /** Not before it is needed, where handles are expected. */
  #onSockets: SocketHandshakes | undefined;

  /**
   * @param pool  undefined where handles cannot be used
   * @throws what OpenSSL says of an identity, a cipher or a group that it does not take; nothing is to be released then
   */
  constructor(material: TlsMaterial, rules: TlsRules, pool: WritePool | undefined) {
    this.#rules = rules;
    this.#pool = pool;
    this.#material = material;
    this.renew(material);
  }

  /** Whether there is an identity for that very name; with rules that are not strict any name has one. */
  serves(name: string): boolean {
    return !this.#rules.sniStrict || findByName(this.#material.identities, name) !== -1;
  }

  /**
   * Begins the handshake.
   *
   * @param name  the server that the client asks for; undefined where it names none
   * @param hello  what was read of the handshake already; valid only during the call
   */
  begin(carrier: Carrier, name: string | undefined, hello: Uint8Array, hooks: HandshakeHooks): void {
    const { identities, fallback } = this.#material;
    const named = name === undefined ? -1 : findByName(identities, name);
    const place = named === -1 ? identities.indexOf(fallback) : named;
    if (carrier.kind === "handle") {
      this.#onHandles?.begin(carrier.handle, place, hello, hooks);
    } else {
      this.#onSockets ??= new SocketHandshakes(this.#material, this.#rules);
      this.#onSockets.begin(carrier.socket, place, hello, hooks);
    }
  }

  /**
   * From now on handshakes use these; those that have begun end as they began, and connections that exist go on.
   *
   * @throws what OpenSSL says; then everything stays as it was
   */
  renew(material: TlsMaterial): void {
    if (this.#pool === undefined) this.#onSockets = new SocketHandshakes(material, this.#rules);
    else [this.#onHandles, this.#onSockets] = [new HandleHandshakes(material, this.#rules, this.#pool), undefined];
    this.#material = material;
  }
}
