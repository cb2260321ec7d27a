/**
 * A transport whose first bytes are a PROXY protocol header (HAProxy's proxy-protocol.txt §2): the header is taken off, and
 * the client it names is the peer.
 *
 * Where the header is expected nobody is served without it, and only a trusted proxy may send it: anybody else could take
 * any address for his own. Nothing is answered to who is refused.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import { type Bytes, type Milliseconds, milliseconds } from "../base/units.ts";
import { decodeProxyHeader } from "../proxy/decode.ts";
import { claimedPeer } from "./proxy-opening.ts";
import type { AcceptedTransport, TransportEvents } from "./transport.ts";

export interface ProxiedOptions {
  /** @param address  of whoever has connected to us, or `unix` */
  readonly isTrusted: (address: string) => boolean;
  /** How long the whole header may take to come; 10 s unless told. */
  readonly patience?: Milliseconds;
  /** The transport is to be started or destroyed before this returns. What came behind the header is delivered right after. */
  readonly onOpen: (transport: AcceptedTransport) => void;
  /** The transport is closed, or being closed. `why`: a short phrase for the log, without a byte from the client. */
  readonly onRefused: (why: string) => void;
  /** Told what these functions throw when bytes come; the connection is cut then. */
  readonly onFault: (fault: unknown) => void;
}

const PATIENCE = milliseconds(10_000);
const NOTHING = Buffer.alloc(0);

const DEAF: TransportEvents = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

const UNSTARTED: TransportEvents = {
  ...DEAF,
  onBytes: () => {
    throw new Error("a proxied transport was neither started nor destroyed");
  },
};

/**
 * Reads the header, and hands on what is behind it. Of the two hooks one is called, once: at once for a sender who is not
 * trusted, else later.
 *
 * @param transport  not started yet. To give up waiting it may be destroyed: `onRefused` follows.
 */
export function openProxied(transport: AcceptedTransport, options: ProxiedOptions): void {
  const { isTrusted, patience = PATIENCE, onOpen, onRefused, onFault } = options;
  if (!isTrusted(transport.peer.address)) {
    transport.destroy();
    onRefused("not a trusted proxy");
    return;
  }

  const relay = new Relay(onFault);
  let received = NOTHING;
  const refuse = (why: string): void => {
    clearTimeout(timer);
    relay.events = DEAF;
    transport.destroy();
    onRefused(why);
  };
  const take = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    const decoding = decodeProxyHeader(received);
    switch (decoding.kind) {
      case "need-more":
        return;
      case "reject":
        refuse(decoding.why);
        return;
      case "header": {
        clearTimeout(timer);
        relay.events = UNSTARTED;
        const rest = received.subarray(decoding.consumed);
        // The connection may live for hours, and would keep these bytes in memory.
        received = NOTHING;
        onOpen(new ProxiedTransport(transport, claimedPeer(decoding.header) ?? transport.peer, relay));
        // Not within `start`: no event comes during a call, and a connection may be turned away right after it.
        relay.onBytes(rest);
      }
    }
  };
  const onGone = (): void => refuse("gone before the end of a PROXY header");
  const timer = setTimeout(() => refuse("no PROXY header in time"), patience);
  relay.events = { ...DEAF, onBytes: take, onEnd: onGone, onClosed: onGone };
  transport.start(relay, (fault) => relay.onFault(fault));
}

/** What the transport below listens to from the start, for whoever's turn it is. */
class Relay implements TransportEvents {
  events: TransportEvents = DEAF;
  onFault: (fault: unknown) => void;
  /** What came behind the header is for nobody any more. */
  isCut = false;

  constructor(onFault: (fault: unknown) => void) {
    this.onFault = onFault;
  }

  onBytes(chunk: Buffer): void {
    if (!this.isCut && chunk.length > 0) this.events.onBytes(chunk);
  }

  onEnd(): void {
    this.events.onEnd();
  }

  onDrained(): void {
    this.events.onDrained();
  }

  onClosed(): void {
    this.isCut = true;
    this.events.onClosed();
  }
}

class ProxiedTransport implements AcceptedTransport {
  readonly peer: PeerAddress;
  readonly #below: AcceptedTransport;
  readonly #relay: Relay;

  constructor(below: AcceptedTransport, peer: PeerAddress, relay: Relay) {
    this.#below = below;
    this.peer = peer;
    this.#relay = relay;
  }

  start(events: TransportEvents, onFault: (fault: unknown) => void): void {
    this.#relay.events = events;
    this.#relay.onFault = onFault;
  }

  get unsent(): Bytes {
    return this.#below.unsent;
  }

  write(chunk: Uint8Array, second?: Uint8Array): boolean {
    return this.#below.write(chunk, second);
  }

  pause(): void {
    this.#below.pause();
  }

  resume(): void {
    this.#below.resume();
  }

  end(): void {
    this.#below.end();
  }

  finish(): void {
    this.#below.finish();
  }

  destroy(): void {
    this.#relay.isCut = true;
    this.#below.destroy();
  }
}
