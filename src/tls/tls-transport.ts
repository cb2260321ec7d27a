/**
 * A Transport over TLS.
 *
 * OpenSSL seals what it is given at once, into memory of its own, so a chunk may be re-used as soon as it was written,
 * unless an earlier one waits still: then the chunk waits behind it, in our memory.
 */
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes } from "../base/units.ts";
import { writeQueueSize } from "../transport/socket-transport.ts";
import type { AcceptedTransport, TransportEvents } from "../transport/transport.ts";

/** What may be sealed and not sent before a writer has to wait: a response that is written in one piece is not held up. */
const MAX_SEALED = 64 * 1024;

export class TlsTransport implements AcceptedTransport {
  readonly #socket: TLSSocket;
  readonly peer: PeerAddress;
  #events: TransportEvents | undefined;
  #onFault: (fault: unknown) => void = () => undefined;
  /** A writer was told to wait. */
  #isAwaited = false;
  readonly #onWritten = (): void => {
    if (!this.#isAwaited || !this.#socket.writable || this.#socket.writableLength > 0) return;
    this.#isAwaited = false;
    this.#guard(() => this.#events?.onDrained());
  };

  constructor(socket: TLSSocket, peer: PeerAddress) {
    this.#socket = socket;
    this.peer = peer;
    // A broken connection is an ordinary end. After a record that cannot be opened Node would not close it, and keep all that comes.
    socket.on("error", () => socket.destroy());
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    this.#events = events;
    this.#onFault = onFault;
    this.#socket.on("data", (chunk: Buffer) => this.#guard(() => events.onBytes(chunk)));
    this.#socket.on("end", () => {
      if (!this.#socket.writableEnded) this.#guard(() => events.onEnd());
    });
    this.#socket.on("close", () => this.#guard(() => events.onClosed()));
  }

  get unsent(): Bytes {
    const { writableLength } = this.#socket;
    if (writableLength === 0) return bytes(0);
    // That counts a chunk whole until its last byte is gone; what TCP has of it moves while the client reads.
    return bytes(Math.max(1, sealedBytes(this.#socket) ?? writableLength));
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return false;
    const isFirst = socket.writableLength === 0 && second === undefined && chunk.length <= MAX_SEALED;
    if (second === undefined) {
      socket.write(chunk, this.#onWritten);
    } else {
      socket.cork();
      socket.write(chunk);
      socket.write(second, this.#onWritten);
      socket.uncork();
    }
    if (isFirst || socket.writableLength === 0) return true;
    this.#isAwaited = true;
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says so to the client first (close_notify, RFC 8446 §6.1), so that nobody can cut an answer short unnoticed. */
  end(): void {
    this.#socket.end();
  }

  finish(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #guard(handle: () => void): void {
    try {
      handle();
    } catch (fault) {
      this.#socket.destroy();
      this.#onFault(fault);
    }
  }
}

/** What the TCP socket below still has to send: Node keeps it at a place that it does not document. */
function sealedBytes(socket: TLSSocket): number | undefined {
  const below: unknown = "_parent" in socket ? socket._parent : undefined;
  return below instanceof Socket ? writeQueueSize(below) : undefined;
}
