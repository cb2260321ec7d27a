/**
 * One side of a splice, as the splice sees it: bytes in and out, an end each way, and a cut.
 *
 * Both sides of a splice are of the same kind, streams or handles, and so agree on who owns the bytes that pass.
 */
import type { Socket } from "node:net";
import type { Bytes } from "../base/units.ts";

/** `tls.TLSSocket` is one too, and has `encrypted`. */
export type SplicedSocket = Socket & { readonly encrypted?: boolean };

export interface SpliceEvents {
  /** To be written to the other side, or left, before the call returns. */
  onBytes(from: SpliceEnd, chunk: Uint8Array): void;
  /** `from` sends nothing more, and has sent all it wanted to. */
  onEnd(from: SpliceEnd): void;
  /** What `to` was given has left, after a `write` that returned false. */
  onDrained(to: SpliceEnd): void;
  /** It has failed, or was closed before both ways had ended. `code`: such as `ECONNRESET`; undefined where there is none. */
  onLost(end: SpliceEnd, code: string | undefined): void;
  /** `isClosed` is true by now. Never comes within a call. */
  onClosed(end: SpliceEnd): void;
}

export interface SpliceEnd {
  /** What waits to be written. */
  readonly unsent: Bytes;
  readonly isClosed: boolean;
  /** Begins to tell, also of what has happened before. */
  start(): void;
  /** @returns false: so much waits that the other side should not be read before `onDrained` */
  write(chunk: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Says that nothing more comes, after all that was written. When the other end of the line says the same, it is closed. */
  end(): void;
  /** Closes now, in a way that nobody takes for an end. */
  cut(): void;
}

/**
 * What both kinds of ends do to be cut: TCP is reset; TLS ends without close_notify (RFC 8446 §6.1).
 *
 * @param isShutting  whether its end is being told, which the peer then gets, after all that was written: libuv resets nothing
 *                    in the middle of that, and Node, when it tries, never closes the socket
 */
export function cutSocket(socket: SplicedSocket, isShutting: boolean): void {
  if (socket.destroyed) return;
  // Node resets nothing but TCP. A Unix socket, and one that is not connected yet, has no port.
  const isTcp = socket.encrypted !== true && socket.remotePort !== undefined;
  if (isTcp && !isShutting) socket.resetAndDestroy();
  else socket.destroy();
}
