/**
 * A Transport over `net.Socket`.
 */
import type { Socket } from "node:net";
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, bytes } from "../base/units.ts";
import type { AcceptedTransport, TransportEvents } from "./transport.ts";

/**
 * The high-water mark the listener must give its sockets: with a mark of one byte `write` returns true exactly when
 * nothing is left in user space, and `drain` comes when that is so again.
 */
export const SOCKET_HIGH_WATER_MARK = 1;

export class SocketTransport implements AcceptedTransport {
  readonly #socket: Socket;
  readonly peer: PeerAddress;

  constructor(socket: Socket, isUnix = false) {
    this.#socket = socket;
    // A broken connection is an ordinary end; `close` follows each error.
    socket.on("error", () => undefined);
    this.peer = { address: isUnix ? "unix" : (socket.remoteAddress ?? "unknown"), port: socket.remotePort ?? 0 };
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    const socket = this.#socket;
    const guarded = (handle: (chunk: Buffer) => void) => (chunk: Buffer) => {
      try {
        handle(chunk);
      } catch (fault) {
        socket.destroy();
        onFault(fault);
      }
    };
    socket.on(
      "data",
      guarded((chunk) => events.onBytes(chunk)),
    );
    socket.on(
      "end",
      guarded(() => events.onEnd()),
    );
    socket.on(
      "drain",
      guarded(() => events.onDrained()),
    );
    socket.on(
      "close",
      guarded(() => events.onClosed()),
    );
  }

  get unsent(): Bytes {
    return bytes(writeQueueSize(this.#socket) ?? this.#socket.writableLength);
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return false;
    if (second === undefined) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(chunk);
    this.#socket.write(second);
    this.#socket.uncork();
    return this.#socket.writableLength === 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  finish(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/**
 * What libuv still has to write. `writableLength` counts a buffer whole until its last byte is gone, which makes a
 * slow reader of a large buffer look like one that does not read at all; Node's own socket time-out looks here too.
 */
export function writeQueueSize(socket: Socket): number | undefined {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  if (typeof handle !== "object" || handle === null || !("writeQueueSize" in handle)) return undefined;
  return typeof handle.writeQueueSize === "number" ? handle.writeQueueSize : undefined;
}
