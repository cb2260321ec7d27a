/**
 * Handshakes on accepted sockets, where handles are unavailable: by Node's servers, which do not listen, one for each
 * showing.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import { contextOf, socketBelow } from "../transport/node-internals.ts";
import { SocketTransport } from "../transport/socket-transport.ts";
import type { Showing } from "./certificate-choice.ts";
import { contextOptions, type TlsRules, useTicketRing } from "./tls-context.ts";
import { describeHandshakeFailure, REJECTED_CERTIFICATE } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { type HandshakeHooks, TlsSession } from "./tls-session.ts";

export class SocketHandshakes {
  readonly #servers: ReadonlyMap<Showing, Server>;
  /** Key: the accepted socket. Node makes a TLS socket above it. */
  readonly #underWay = new Map<Socket, HandshakeHooks>();

  /** @throws what OpenSSL reports about an identity or a rule; the caller then has nothing to release */
  constructor(showings: readonly Showing[], material: TlsMaterial, rules: TlsRules) {
    const serverFor = (showing: Showing): Server => {
      const server = createServer({
        ...contextOptions(showing, material, rules),
        ...(rules.alpn.length === 0 ? {} : { ALPNProtocols: [...rules.alpn] }),
        requestCert: material.clientAuthorities !== undefined,
        rejectUnauthorized: rules.clientVerify === "require",
        handshakeTimeout: rules.handshakeTimeout,
        allowHalfOpen: true,
      });
      const context = contextOf(server);
      if (context !== undefined) useTicketRing(context, material.ticketKeys);
      server.on("secureConnection", (socket) => this.#finish(socket));
      server.on("tlsClientError", (error, socket) => this.#fail(socket, error));
      const staple = showing.staple === undefined ? undefined : Buffer.from(showing.staple);
      // A listener for this event makes every handshake wait for it.
      if (staple !== undefined) server.on("OCSPRequest", (_certificate, _issuer, callback) => callback(null, staple));
      return server;
    };
    this.#servers = new Map(showings.map((showing) => [showing, serverFor(showing)]));
  }

  /** @param hello  the part of the handshake that was already read */
  begin(socket: Socket, showing: Showing, hello: Uint8Array, hooks: HandshakeHooks): void {
    this.#underWay.set(socket, hooks);
    // An event with a better reason occurs in the same turn.
    socket.once("close", () => setImmediate(() => this.#take(socket)?.onFailed("the client has disconnected")));
    // A half-closed handshake is useless: one end closed means that the client has left.
    socket.allowHalfOpen = false;
    // The chunk belongs to the transport.
    socket.unshift(Buffer.from(hello));
    this.#servers.get(showing)?.emit("connection", socket);
  }

  #finish(secure: TLSSocket): void {
    const hooks = this.#take(socketBelow(secure));
    // The client disconnected at this very moment.
    if (hooks === undefined) {
      secure.destroy();
      return;
    }
    secure.allowHalfOpen = true;
    const makeTransport = (peer: PeerAddress): SocketTransport => new SocketTransport(secure, peer);
    hooks.onSecure(new TlsSession(secure, secure.authorized), makeTransport);
  }

  #fail(secure: TLSSocket, error: Error): void {
    const isRefused = Boolean(secure.authorizationError);
    const hooks = this.#take(socketBelow(secure));
    secure.destroy();
    hooks?.onFailed(isRefused ? REJECTED_CERTIFICATE : describeHandshakeFailure(error));
  }

  #take(socket: Socket): HandshakeHooks | undefined {
    const hooks = this.#underWay.get(socket);
    this.#underWay.delete(socket);
    return hooks;
  }
}
