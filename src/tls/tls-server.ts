/** Selects the identity by SNI name, and the kind of handshake: on the accepted handle, or on a socket. */
import type { WritePool } from "../transport/handle-pool.ts";
import type { Carrier } from "../transport/transport.ts";
import { chooseShowing, planShowings, type Showing, type ShowingPlan } from "./certificate-choice.ts";
import { readOffer } from "./client-offer.ts";
import { HandleHandshakes } from "./handle-handshakes.ts";
import { SocketHandshakes } from "./socket-handshakes.ts";
import type { TlsRules } from "./tls-context.ts";
import { findByName, type TlsMaterial } from "./tls-identity.ts";
import type { HandshakeHooks } from "./tls-session.ts";

export class TlsServer {
  readonly #rules: TlsRules;
  readonly #pool: WritePool | undefined;
  #material: TlsMaterial;
  /** One for each identity. */
  #plans: readonly ShowingPlan[] = [];
  #onHandles: HandleHandshakes | undefined;
  /** Created on first use, where handles are expected. */
  #onSockets: SocketHandshakes | undefined;

  /**
   * @param pool  undefined where handles cannot be used
   * @throws what OpenSSL rejects: an identity, a cipher or a group; the caller then has nothing to release
   */
  constructor(material: TlsMaterial, rules: TlsRules, pool: WritePool | undefined) {
    this.#rules = rules;
    this.#pool = pool;
    this.#material = material;
    this.renew(material);
  }

  /** Whether an identity has exactly that name or its wildcard; without strict rules always true. */
  serves(name: string): boolean {
    return !this.#rules.sniStrict || findByName(this.#material.identities, name) !== -1;
  }

  /** `name`: SNI, if any. `hello`: the part of the handshake that was already read; valid only during the call. */
  begin(carrier: Carrier, name: string | undefined, hello: Uint8Array, hooks: HandshakeHooks): void {
    const { identities, fallback } = this.#material;
    const named = name === undefined ? -1 : findByName(identities, name);
    const place = named === -1 ? identities.indexOf(fallback) : named;
    const plan = this.#plans[place];
    if (plan === undefined) throw new Error("there is no such identity");
    const showing = plan.alone.length === 0 ? plan.together : chooseShowing(plan, readOffer(hello), this.#rules);
    if (carrier.kind === "handle") {
      this.#onHandles?.begin(carrier.handle, showing, hello, hooks);
    } else {
      this.#onSockets ??= new SocketHandshakes(showingsOf(this.#plans), this.#material, this.#rules);
      this.#onSockets.begin(carrier.socket, showing, hello, hooks);
    }
  }

  /**
   * For new handshakes; begun handshakes and connections continue. @throws what OpenSSL reports; nothing changes then
   */
  renew(material: TlsMaterial): void {
    const plans = planShowings(material);
    const showings = showingsOf(plans);
    if (this.#pool === undefined) this.#onSockets = new SocketHandshakes(showings, material, this.#rules);
    else {
      this.#onHandles = new HandleHandshakes(showings, material, this.#rules, this.#pool);
      this.#onSockets = undefined;
    }
    this.#material = material;
    this.#plans = plans;
  }
}

function showingsOf(plans: readonly ShowingPlan[]): readonly Showing[] {
  return plans.flatMap(({ together, alone }) => [together, ...alone]);
}
