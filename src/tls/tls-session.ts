/**
 * What was agreed on in a handshake, and who the client is by its certificate.
 */
import { X509Certificate } from "node:crypto";
import { TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import type { TlsHandle } from "../transport/node-internals.ts";
import type { ByteStream } from "../transport/transport.ts";

/** To be asked as long as the connection is open. */
export class TlsSession {
  readonly #source: TlsHandle | TLSSocket;
  /** Of a session that was resumed Node says so without a certificate too. */
  readonly isVerified: boolean;

  constructor(source: TlsHandle | TLSSocket, isVerified: boolean) {
    this.#source = source;
    this.isVerified = isVerified;
  }

  /** Such as `TLSv1.3`. */
  get version(): string | undefined {
    return this.#source.getProtocol() ?? undefined;
  }

  get cipher(): string | undefined {
    return this.#source.getCipher()?.name;
  }

  /** The application's protocol, where one was agreed on (RFC 7301). */
  get alpn(): string | undefined {
    const source = this.#source;
    const protocol = source instanceof TLSSocket ? source.alpnProtocol : source.getALPNNegotiatedProtocol();
    return typeof protocol === "string" ? protocol : undefined;
  }

  get isResumed(): boolean {
    return this.#source.isSessionReused();
  }

  /** The client's, where it has shown one, here or when the session that is resumed was begun. */
  get certificate(): X509Certificate | undefined {
    const source = this.#source;
    if (source instanceof TLSSocket) return source.getPeerX509Certificate();
    const { raw } = source.getPeerCertificate(true) ?? {};
    return raw === undefined ? undefined : new X509Certificate(raw);
  }
}

/** One of them is called, once. */
export interface HandshakeHooks {
  /** `makeTransport` is to be called, and its transport started or destroyed, before this returns. */
  readonly onSecure: (session: TlsSession, makeTransport: (peer: PeerAddress) => ByteStream) => void;
  /** The connection is closed, or being closed. */
  readonly onFailed: (why: string) => void;
}

/** With the subject of a certificate that was verified, as people write it (RFC 4514). */
export function withCertificate(peer: PeerAddress, session: TlsSession): PeerAddress {
  const subject = session.isVerified ? session.certificate?.subject : undefined;
  return { ...peer, tls: subject === undefined ? {} : { subject: subject.split("\n").reverse().join(",") } };
}
