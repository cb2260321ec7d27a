/** Handshakes on accepted handles: OpenSSL works on what libuv reads, without a socket of Node's. */
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import { closeTls, readWith, tellBroken, type WritePool } from "../transport/handle-pool.ts";
import { HandleTransport } from "../transport/handle-transport.ts";
import {
  END_OF_FILE,
  type HandleReader,
  type NodeInternals,
  type StreamHandle,
  type TlsHandle,
} from "../transport/node-internals.ts";
import type { Showing } from "./certificate-choice.ts";
import { serverContext, type TlsRules } from "./tls-context.ts";
import { describeHandshakeFailure, REJECTED_CERTIFICATE, TOOK_TOO_LONG } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { type HandshakeHooks, TlsSession } from "./tls-session.ts";

/** What a client is shown, and what is required of it. */
export interface HandshakeTerms {
  /** Node's internal SecureContext. */
  readonly context: object;
  readonly staple: Buffer | undefined;
  /** Whether the server requests a client certificate, and rejects clients without a valid one. */
  readonly verification: "none" | TlsRules["clientVerify"];
  /** Each after one byte with its length. */
  readonly protocols: Uint8Array;
  readonly timeout: Milliseconds;
}

export class HandleHandshakes {
  readonly #pool: WritePool;
  readonly #terms: ReadonlyMap<Showing, HandshakeTerms>;

  /** @throws what OpenSSL says of an identity or a rule */
  constructor(showings: readonly Showing[], material: TlsMaterial, rules: TlsRules, pool: WritePool) {
    this.#pool = pool;
    const termsFor = (showing: Showing): HandshakeTerms => ({
      context: serverContext(showing, material, rules).context,
      staple: showing.staple === undefined ? undefined : Buffer.from(showing.staple),
      verification: material.clientAuthorities === undefined ? "none" : rules.clientVerify,
      protocols: Buffer.concat(rules.alpn.map((name) => Buffer.from([name.length, ...Buffer.from(name, "latin1")]))),
      timeout: rules.handshakeTimeout,
    });
    this.#terms = new Map(showings.map((showing) => [showing, termsFor(showing)]));
  }

  /** @param hello  the part of the handshake that was already read */
  begin(carrier: StreamHandle, showing: Showing, hello: Uint8Array, hooks: HandshakeHooks): void {
    const terms = this.#terms.get(showing);
    if (terms === undefined) throw new Error("there is no such identity");
    beginOnHandle(carrier, terms, this.#pool, hello, hooks);
  }
}

export function beginOnHandle(
  carrier: StreamHandle,
  terms: HandshakeTerms,
  pool: WritePool,
  hello: Uint8Array,
  hooks: HandshakeHooks,
): void {
  const { context, staple, verification, protocols, timeout } = terms;
  const tls = pool.internals.wrapTls(carrier, context);
  if (verification !== "none") tls.setVerifyMode(true, verification === "require");
  if (protocols.length > 0) tls.setALPNProtocols(protocols);
  if (staple !== undefined) stapleTo(tls, staple);
  new HandleHandshake(carrier, tls, pool, verification, hooks).begin(hello, timeout);
}

class HandleHandshake implements HandleReader {
  readonly #carrier: StreamHandle;
  readonly #tls: TlsHandle;
  readonly #pool: WritePool;
  readonly #verification: HandshakeTerms["verification"];
  readonly #hooks: HandshakeHooks;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    carrier: StreamHandle,
    tls: TlsHandle,
    pool: WritePool,
    verification: HandshakeTerms["verification"],
    hooks: HandshakeHooks,
  ) {
    this.#carrier = carrier;
    this.#tls = tls;
    this.#pool = pool;
    this.#verification = verification;
    this.#hooks = hooks;
  }

  begin(hello: Uint8Array, timeout: Milliseconds): void {
    const tls = this.#tls;
    // libuv references only the carrier, and the carrier references the rest.
    this.#carrier.reader = this;
    tls.onhandshakedone = tellDone;
    tls.onerror = tellBroken;
    readWith(tls, this);
    this.#timer = setTimeout(() => this.#fail(TOOK_TOO_LONG), timeout);
    tls.receive(hello);
    // Its status says nothing: if the hello was read from the handle, that is reading already.
    if (!this.#isOver) tls.readStart();
  }

  onRead(): void {
    if (this.#isOver) return;
    const { streamBaseState, kReadBytesOrError }: NodeInternals = this.#pool.internals;
    const count = streamBaseState[kReadBytesOrError] as number;
    // No byte of the client counts before the handshake is done; a half-closed handshake is useless.
    if (count === END_OF_FILE || count < 0) this.#fail("the client has disconnected");
  }

  onBroken(error: Error): void {
    this.#fail(describeHandshakeFailure(error));
  }

  onHandshakeDone(): void {
    if (this.#isOver) return;
    // OpenSSL continues with any certificate: only this code decides whether it is accepted.
    const isVerified = this.#verification !== "none" && !this.#tls.verifyError();
    if (this.#verification === "require" && !isVerified) {
      this.#fail(REJECTED_CERTIFICATE);
      return;
    }
    this.#leave();
    const makeTransport = (peer: PeerAddress): HandleTransport =>
      new HandleTransport(this.#carrier, this.#pool, peer, this.#tls);
    this.#hooks.onSecure(new TlsSession(this.#tls, isVerified), makeTransport);
  }

  #fail(why: string): void {
    if (this.#isOver) return;
    this.#leave();
    this.#tls.readStop();
    closeTls(this.#carrier, this.#tls);
    this.#hooks.onFailed(why);
  }

  #leave(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

function stapleTo(tls: TlsHandle, staple: Buffer): void {
  tls.oncertcb = ({ OCSPRequest }) => {
    if (OCSPRequest) tls.setOCSPResponse(staple);
    tls.certCbDone();
  };
  tls.enableCertCb();
}

/** One function for all handles. */
function tellDone(this: TlsHandle): void {
  this.reader?.onHandshakeDone?.();
}
