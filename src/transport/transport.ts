/** One client's byte stream, TCP or TLS: the seam between the connection and what carries its bytes. */
import type { Socket } from "node:net";
import type { PeerAddress, SocketAddress } from "../base/endpoint.ts";
import type { Bytes, Milliseconds } from "../base/units.ts";
import type { StreamHandle } from "./node-internals.ts";

export interface Transport {
  /** As it was when the connection was accepted. */
  readonly peer: PeerAddress;
  /** Written bytes that the kernel has not taken yet. Changes while the client reads; 0: it has them all. */
  readonly unsent: Bytes;
  /**
   * Writes one chunk, or two that leave together.
   * @returns true when the chunks may be reused: the kernel has them, or TLS has encrypted them. After false they must
   * not change, and nothing more may be written, until `onDrained`. False with nothing unsent: the write failed, and
   * `onClosed` follows
   */
  write(chunk: Uint8Array, second?: Uint8Array): boolean;
  /** Stops reading, so that the client has to wait; bytes that were read already may still be delivered. */
  pause(): void;
  resume(): void;
  /**
   * Closes the writing side after what was written; reading continues. The transport closes when both sides have ended.
   * TLS first sends close_notify (RFC 8446 §6.1), so that the client notices a truncated answer.
   */
  end(): void;
  /**
   * Closes both sides in good order, at once where the kernel has everything written. For a client that sends no more:
   * later bytes would make the kernel reset the connection, and the answer would be lost (RFC 9112 §9.6).
   */
  finish(): void;
  /** Closes both sides now. `onClosed` follows, or was called when this returns. */
  destroy(): void;
  /**
   * The same for a client that takes nothing: TCP is reset, also below TLS, so the kernel drops what it has not sent.
   * After `destroy` it would keep megabytes of that for minutes.
   */
  reset(): void;
}

/** A transport without listener. Until `start` it delivers nothing and may be destroyed. */
export interface AcceptedTransport extends Transport {
  /** @param onFault  called with what an event handler threw; only this connection is cut */
  start(events: TransportEvents, onFault: (fault: unknown) => void): void;
}

/** A transport that the server can also inspect, detach or join with another one. */
export interface ByteStream extends AcceptedTransport {
  /** Settable, because a proxy may name another client. */
  peer: PeerAddress;
  /** Our address; undefined for a Unix socket and after the close. */
  readonly local: SocketAddress | undefined;
  /** A second call replaces the listeners. */
  start(events: TransportEvents, onFault: (fault: unknown) => void): void;
  /** Delivers bytes that were read before, as if they arrived now. Does nothing after the close. */
  deliver(chunk: Buffer): void;
  /** Writes bytes that may be reused at once. @returns false: 64 KiB or more wait, send no more before `onDrained` */
  pass(chunk: Uint8Array): boolean;
  /** Closes now, not like an ordinary end: plain TCP is reset, TLS ends without close_notify (RFC 8446 §6.1). */
  cut(): void;
  /** Sets the silence after which TCP probes the other side. */
  keepAlive(after: Milliseconds): void;
  /** Gives up the carrier; the transport must not be used afterwards. */
  detach(): Carrier;
}

export type Carrier =
  | { readonly kind: "handle"; readonly handle: StreamHandle }
  | { readonly kind: "socket"; readonly socket: Socket };

/** Listens to a transport. No event occurs during a call to it, except `onClosed` in `finish` and `destroy`. */
export interface TransportEvents {
  /** @param chunk  belongs to the transport: valid only during the call */
  onBytes(chunk: Buffer): void;
  /** The client has closed its writing side. Not called after `end`. */
  onEnd(): void;
  /** The kernel has everything written. Not called after `end`. */
  onDrained(): void;
  /** The last event. @param isWhole  both sides ended in good order, and each has received everything */
  onClosed(isWhole: boolean): void;
}
