/** Handshakes on accepted handles: OpenSSL works on what libuv reads, without a socket of Node's. */
import type { PeerAddress } from "../base/endpoint.ts";
import { errorCode } from "../base/errors.ts";
import { type Milliseconds, milliseconds } from "../base/units.ts";
import { closeTls, readWith, tellBroken, type WritePool } from "../transport/handle-pool.ts";
import { HandleTransport } from "../transport/handle-transport.ts";
import {
  END_OF_FILE,
  type HandleReader,
  type NodeInternals,
  type StreamHandle,
  type TlsHandle,
} from "../transport/node-internals.ts";
import { readServerSecret, refusingAlert } from "./alert.ts";
import type { Showing } from "./certificate-choice.ts";
import { type ClientProof, type ClientRefusal, type ClientVerify, proofFrom, refuseClient } from "./client-proof.ts";
import { serverContext, type TlsRules } from "./tls-context.ts";
import { describeHandshakeFailure, TOOK_TOO_LONG } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { type HandshakeHooks, TlsSession } from "./tls-session.ts";

/** How long a refused client may take to close. */
const LINGER: Milliseconds = milliseconds(2000);
const NOT_ASKED: ClientProof = { kind: "none" };

/** What a client is shown, and what is required of it. */
export interface HandshakeTerms {
  /** Node's internal SecureContext. */
  readonly context: object;
  readonly staple: Buffer | undefined;
  /** Whether the server requests a client certificate, and which clients it refuses. */
  readonly verification: "none" | ClientVerify;
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
  if (verification === "require" || verification === "optional") {
    tls.onkeylog = tellSecret;
    tls.enableKeylogCallback();
  }
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
  /** In TLS 1.3 needed for an alert after the client's last message. */
  #serverSecret: Uint8Array | undefined;
  /** Its hooks have been called. */
  #isOver = false;
  #isClosed = false;

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
    const { streamBaseState, kReadBytesOrError }: NodeInternals = this.#pool.internals;
    const count = streamBaseState[kReadBytesOrError] as number;
    // No byte of the client counts before the handshake is done; a half-closed handshake is useless.
    if (count !== END_OF_FILE && count >= 0) return;
    if (this.#isOver) this.#close();
    else this.#fail("the client has disconnected");
  }

  onBroken(error: Error): void {
    if (this.#isOver) return;
    this.#leave();
    // OpenSSL may be working on this handle right now, and has an alert to send.
    setImmediate(() => this.#linger());
    this.#hooks.onFailed(describeHandshakeFailure(error));
  }

  onSecret(line: Uint8Array): void {
    this.#serverSecret ??= readServerSecret(line);
  }

  onHandshakeDone(): void {
    if (this.#isOver) return;
    const tls = this.#tls;
    // OpenSSL continues with any certificate: only this code decides whether it is accepted.
    const proof = this.#verification === "none" ? NOT_ASKED : proofOf(tls);
    const refusal =
      this.#verification === "none" ? undefined : refuseClient(this.#verification, proof, tls.getProtocol());
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    this.#leave();
    const makeTransport = (peer: PeerAddress): HandleTransport =>
      new HandleTransport(this.#carrier, this.#pool, peer, tls);
    this.#hooks.onSecure(new TlsSession(tls, proof), makeTransport);
  }

  #refuse({ why, alert }: ClientRefusal): void {
    const tls = this.#tls;
    const bytes = refusingAlert(alert, {
      version: tls.getProtocol(),
      suite: tls.getCipher()?.name,
      isResumed: tls.isSessionReused(),
      serverSecret: this.#serverSecret,
    });
    if (bytes === undefined) {
      this.#fail(why);
      return;
    }
    // Past OpenSSL, which has not yet written what ends the handshake. After `shutdown` libuv writes none of that.
    const request = new this.#pool.internals.WriteWrap();
    request.chunks = bytes;
    this.#carrier.writeBuffer(request, bytes);
    this.#leave();
    this.#linger();
    this.#hooks.onFailed(why);
  }

  /**
   * Ends our side after the alert and waits until the client closes. An immediate close would reset the connection when
   * the client sends more, as it does behind its last message, and the alert could be lost.
   */
  #linger(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#close(), LINGER);
    const { ShutdownWrap } = this.#pool.internals;
    if (this.#carrier.shutdown(new ShutdownWrap()) < 0) this.#close();
  }

  #fail(why: string): void {
    if (this.#isOver) return;
    this.#leave();
    this.#close();
    this.#hooks.onFailed(why);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#tls.readStop();
    closeTls(this.#carrier, this.#tls);
  }

  #leave(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

function proofOf(tls: TlsHandle): ClientProof {
  const hasCertificate = tls.getPeerCertificate(true)?.raw !== undefined;
  return proofFrom(hasCertificate, hasCertificate ? verifyCode(tls.verifyError()) : undefined);
}

/** An error without a code still is an error. */
function verifyCode(error: Error | null | undefined): string | undefined {
  return error ? (errorCode(error) ?? "UNSPECIFIED") : undefined;
}

function stapleTo(tls: TlsHandle, staple: Buffer): void {
  tls.oncertcb = ({ OCSPRequest }) => {
    if (OCSPRequest) tls.setOCSPResponse(staple);
    tls.certCbDone();
  };
  tls.enableCertCb();
}

/** These are one function for all handles. */
function tellSecret(this: TlsHandle, line: Uint8Array): void {
  this.reader?.onSecret?.(line);
}

function tellDone(this: TlsHandle): void {
  this.reader?.onHandshakeDone?.();
}
