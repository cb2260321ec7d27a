/**
 * Handshakes on accepted sockets, where handles cannot be had: by Node's own servers, which listen nowhere, one for each
 * identity.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import { socketBelow } from "../transport/node-internals.ts";
import { SocketTransport } from "../transport/socket-transport.ts";
import { contextOptions, stapleFor, type TlsRules } from "./tls-context.ts";
import { describeHandshakeFailure, REJECTED_CERTIFICATE } from "./tls-failure.ts";
import type { TlsMaterial } from "./tls-identity.ts";
import { type HandshakeHooks, TlsSession } from "./tls-session.ts";

export class SocketHandshakes {
  readonly #servers: readonly Server[];
  /** By the socket that was accepted: Node makes another of it, which is above it. */
  readonly #underWay = new Map<Socket, HandshakeHooks>();

  /** @throws what OpenSSL says of an identity or a rule; nothing is to be released then */
  constructor(material: TlsMaterial, rules: TlsRules) {
    this.#servers = material.identities.map((identity) => {
      const server = createServer({
        ...contextOptions(identity, material, rules),
        ...(rules.alpn.length === 0 ? {} : { ALPNProtocols: [...rules.alpn] }),
        requestCert: material.clientAuthorities !== undefined,
        rejectUnauthorized: rules.clientVerify === "require",
        handshakeTimeout: rules.handshakeTimeout,
        allowHalfOpen: true,
      });
      server.on("secureConnection", (socket) => this.#finish(socket));
      server.on("tlsClientError", (error, socket) => this.#fail(socket, error));
      const staple = stapleFor(identity, material);
      // Whoever listens makes every handshake wait for him.
      if (staple !== undefined) server.on("OCSPRequest", (_certificate, _issuer, callback) => callback(null, staple));
      return server;
    });
  }

  /** @param hello  what was read of the handshake already */
  begin(socket: Socket, place: number, hello: Uint8Array, hooks: HandshakeHooks): void {
    this.#underWay.set(socket, hooks);
    // Whoever knows better why speaks in the same turn.
    socket.once("close", () => setImmediate(() => this.#take(socket)?.onFailed("the client has disconnected")));
    // Half a handshake is of no use: who closes one end in it has gone.
    socket.allowHalfOpen = false;
    // The chunk is the transport's.
    socket.unshift(Buffer.from(hello));
    this.#servers[place]?.emit("connection", socket);
  }

  #finish(secure: TLSSocket): void {
    const hooks = this.#take(socketBelow(secure));
    // It has gone in this very moment.
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
