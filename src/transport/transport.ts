/**
 * One client's byte stream, TCP or TLS: the door between the connection and whatever carries its bytes.
 */
import type { Socket } from "node:net";
import type { PeerAddress, SocketAddress } from "../base/endpoint.ts";
import type { Bytes, Milliseconds } from "../base/units.ts";
import type { StreamHandle } from "./node-internals.ts";

export interface Transport {
  /** `address` is "unknown" where the client had gone before anybody asked. */
  readonly peer: PeerAddress;
  /** How many written bytes still wait for the kernel to take them. Moves while the client reads; 0: it has them all. */
  readonly unsent: Bytes;
  /**
   * Hands bytes over: one chunk, or two that leave together.
   *
   * @returns true when the chunks may be re-used: the kernel has all of them, or TLS has sealed them; false when some wait:
   *          the chunks must then stay as they are, and nothing more be written, until `onDrained`
   */
  write(chunk: Uint8Array, second?: Uint8Array): boolean;
  /** Stops delivering bytes, so that the client feels it; what has been read already may still come. */
  pause(): void;
  resume(): void;
  /**
   * Closes the writing side after what was written; reading goes on. The transport closes when both sides have ended. TLS
   * says so first (close_notify, RFC 8446 §6.1), so that an answer that is cut short is noticed.
   */
  end(): void;
  /**
   * Closes both sides in good order, at once where everything written is with the kernel: for a client that sends no more,
   * because bytes that still came would make the kernel reset the connection, answer and all (RFC 9112 §9.6).
   */
  finish(): void;
  /** Closes both sides now. `onClosed` follows, or has come when this returns. */
  destroy(): void;
}

/** A transport that nobody listens to yet. Until `start` it delivers nothing, and may be destroyed. */
export interface AcceptedTransport extends Transport {
  /** @param onFault  told what a handler of events threw; the connection is cut then, and no other is touched */
  start(events: TransportEvents, onFault: (fault: unknown) => void): void;
}

/** A transport with all that the server's own end of it can do: what comes first may be read, and it may be joined with another. */
export interface ByteStream extends AcceptedTransport {
  /** A proxy may tell of another client. */
  peer: PeerAddress;
  /** Our end; undefined for a Unix socket, and where the connection is closed. */
  readonly local: SocketAddress | undefined;
  /** From the second time on others listen than before. */
  start(events: TransportEvents, onFault: (fault: unknown) => void): void;
  /** Delivers what was read before, as if it came now. Does nothing once it is closed. */
  deliver(chunk: Buffer): void;
  /**
   * Hands bytes over that may be re-used at once, whatever waits.
   *
   * @returns false: so much waits (64 KiB) that no more should come before `onDrained`
   */
  pass(chunk: Uint8Array): boolean;
  /** Closes now, in a way that nobody takes for an end: TCP is reset, TLS ends without close_notify (RFC 8446 §6.1). */
  cut(): void;
  /** After how long a silence TCP asks whether the other side is there still. */
  keepAlive(after: Milliseconds): void;
  /** Gives up what carries the bytes: nothing may be asked of the transport afterwards. */
  detach(): Carrier;
}

/** What carries the bytes. Nothing of it is read while nobody reads. */
export type Carrier =
  | { readonly kind: "handle"; readonly handle: StreamHandle }
  | { readonly kind: "socket"; readonly socket: Socket };

/** Who listens to a transport. No event comes while a call to the transport is under way, but `onClosed` in `finish` and `destroy`. */
export interface TransportEvents {
  /** @param chunk  belongs to the transport: valid only during the call */
  onBytes(chunk: Buffer): void;
  /** The client has closed its writing side. Not told after `end`. */
  onEnd(): void;
  /** Everything written is with the kernel. Not told after `end`. */
  onDrained(): void;
  /** The last event. @param isWhole  both sides have ended in good order: the client has got all, and so have we */
  onClosed(isWhole: boolean): void;
}
