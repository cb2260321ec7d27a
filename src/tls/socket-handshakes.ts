/**
 * Handshakes on accepted sockets, where handles are unavailable: by Node's servers, which do not listen, one for each
 * showing.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import { contextOf, socketBelow } from "../transport/node-internals.ts";
import { SocketTransport } from "../transport/socket-transport.ts";
import { type HandshakeKeys, readServerSecret, refusingAlert } from "./alert.ts";
import type { Showing } from "./certificate-choice.ts";
import { type ClientProof, type ClientVerify, proofFrom, refuseClient } from "./client-proof.ts";
import { contextOptions, type TlsRules, useTicketRing } from "./tls-context.ts";
import { describeHandshakeFailure } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { type HandshakeHooks, TlsSession } from "./tls-session.ts";

interface Pending {
  readonly hooks: HandshakeHooks;
  /** In TLS 1.3 needed for an alert after the client's last message. */
  serverSecret: Uint8Array | undefined;
}

export class SocketHandshakes {
  readonly #servers: ReadonlyMap<Showing, Server>;
  /** Undefined: no certificate is requested. */
  readonly #verify: ClientVerify | undefined;
  /** Key: the accepted socket. Node makes a TLS socket above it. */
  readonly #underWay = new Map<Socket, Pending>();

  /** @throws what OpenSSL reports about an identity or a rule; the caller then has nothing to release */
  constructor(showings: readonly Showing[], material: TlsMaterial, rules: TlsRules) {
    this.#verify = material.clientAuthorities === undefined ? undefined : rules.clientVerify;
    const serverFor = (showing: Showing): Server => {
      const server = createServer({
        ...contextOptions(showing, material, rules),
        ...(rules.alpn.length === 0 ? {} : { ALPNProtocols: [...rules.alpn] }),
        requestCert: this.#verify !== undefined,
        // Node would close without an alert.
        rejectUnauthorized: false,
        handshakeTimeout: rules.handshakeTimeout,
        allowHalfOpen: true,
      });
      const context = contextOf(server);
      if (context !== undefined) useTicketRing(context, material.ticketKeys);
      server.on("secureConnection", (socket) => this.#finish(socket));
      server.on("tlsClientError", (error, socket) => this.#fail(socket, error));
      if (this.#verify !== undefined) server.on("keylog", (line, socket) => this.#keep(line, socket));
      const staple = showing.staple === undefined ? undefined : Buffer.from(showing.staple);
      // A listener for this event makes every handshake wait for it.
      if (staple !== undefined) server.on("OCSPRequest", (_certificate, _issuer, callback) => callback(null, staple));
      return server;
    };
    this.#servers = new Map(showings.map((showing) => [showing, serverFor(showing)]));
  }

  /** @param hello  the part of the handshake that was already read */
  begin(socket: Socket, showing: Showing, hello: Uint8Array, hooks: HandshakeHooks): void {
    this.#underWay.set(socket, { hooks, serverSecret: undefined });
    // An event with a better reason occurs in the same turn.
    socket.once("close", () => setImmediate(() => this.#take(socket)?.hooks.onFailed("the client has disconnected")));
    // A half-closed handshake is useless: one end closed means that the client has left.
    socket.allowHalfOpen = false;
    // The chunk belongs to the transport.
    socket.unshift(Buffer.from(hello));
    this.#servers.get(showing)?.emit("connection", socket);
  }

  #keep(line: Uint8Array, secure: TLSSocket): void {
    const pending = this.#underWay.get(socketBelow(secure));
    if (pending !== undefined) pending.serverSecret ??= readServerSecret(line);
  }

  #finish(secure: TLSSocket): void {
    const carrier = socketBelow(secure);
    const pending = this.#take(carrier);
    // The client disconnected at this very moment.
    if (pending === undefined) {
      secure.destroy();
      return;
    }
    const proof = this.#verify === undefined ? NOT_ASKED : proofOf(secure);
    const refusal = this.#verify === undefined ? undefined : refuseClient(this.#verify, proof, secure.getProtocol());
    if (refusal !== undefined) {
      // Past OpenSSL, which has not yet written what ends the handshake and cannot after `destroy`.
      const alert = refusingAlert(refusal.alert, keysOf(secure, pending));
      if (alert !== undefined) carrier.write(alert);
      secure.destroy();
      pending.hooks.onFailed(refusal.why);
      return;
    }
    secure.allowHalfOpen = true;
    const makeTransport = (peer: PeerAddress): SocketTransport => new SocketTransport(secure, peer);
    pending.hooks.onSecure(new TlsSession(secure, proof), makeTransport);
  }

  #fail(secure: TLSSocket, error: Error): void {
    const pending = this.#take(socketBelow(secure));
    secure.destroy();
    pending?.hooks.onFailed(describeHandshakeFailure(error));
  }

  #take(socket: Socket): Pending | undefined {
    const pending = this.#underWay.get(socket);
    this.#underWay.delete(socket);
    return pending;
  }
}

const NOT_ASKED: ClientProof = { kind: "none" };

/** The types know only an Error; it is the name of OpenSSL's verify error. */
function proofOf(secure: TLSSocket): ClientProof {
  const code = secure.authorized ? undefined : String(secure.authorizationError);
  return proofFrom(secure.getPeerX509Certificate() !== undefined, code);
}

function keysOf(secure: TLSSocket, { serverSecret }: Pending): HandshakeKeys {
  const suite = secure.getCipher().name;
  return { version: secure.getProtocol(), suite, isResumed: secure.isSessionReused(), serverSecret };
}
