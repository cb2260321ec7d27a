/** The results of a handshake, and who the client is by its certificate. */
import { X509Certificate } from "node:crypto";
import { TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import type { TlsHandle } from "../transport/node-internals.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { ClientProof } from "./client-proof.ts";

/** Valid as long as the connection is open. */
export class TlsSession {
  readonly #source: TlsHandle | TLSSocket;
  readonly proof: ClientProof;

  constructor(source: TlsHandle | TLSSocket, proof: ClientProof) {
    this.#source = source;
    this.proof = proof;
  }

  /** Such as `TLSv1.3`. */
  get version(): string | undefined {
    return this.#source.getProtocol() ?? undefined;
  }

  get cipher(): string | undefined {
    return this.#source.getCipher()?.name;
  }

  /** The ALPN protocol (RFC 7301), where one was agreed on. */
  get alpn(): string | undefined {
    const source = this.#source;
    const protocol = source instanceof TLSSocket ? source.alpnProtocol : source.getALPNNegotiatedProtocol();
    return typeof protocol === "string" ? protocol : undefined;
  }

  get isResumed(): boolean {
    return this.#source.isSessionReused();
  }

  /** The client's certificate, from this handshake or from the one that began a resumed session. */
  get certificate(): X509Certificate | undefined {
    const source = this.#source;
    if (source instanceof TLSSocket) return source.getPeerX509Certificate();
    const { raw } = source.getPeerCertificate(true) ?? {};
    return raw === undefined ? undefined : new X509Certificate(raw);
  }
}

/** Exactly one of them is called, once. */
export interface HandshakeHooks {
  /** Must call `makeTransport`, and start or destroy the transport, before it returns. */
  readonly onSecure: (session: TlsSession, makeTransport: (peer: PeerAddress) => ByteStream) => void;
  /** The connection is closed or closing. */
  readonly onFailed: (why: string) => void;
}

/** Adds the subject of a verified certificate in the usual form (RFC 4514). */
export function withCertificate(peer: PeerAddress, session: TlsSession): PeerAddress {
  const subject = session.proof.kind === "verified" ? session.certificate?.subject : undefined;
  return { ...peer, tls: subject === undefined ? {} : { subject: subject.split("\n").reverse().join(",") } };
}
