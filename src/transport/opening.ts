/**
 * What comes first on an accepted connection, before whoever serves it reads: looked at until it is clear how to go on.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import type { ByteStream, TransportEvents } from "./transport.ts";

export type OpeningDecision =
  | { readonly kind: "need-more" }
  | Opening
  /** `answer`: what the client is told before the end; empty: nothing. */
  | { readonly kind: "refused"; readonly why: string; readonly answer: string };

interface Opening {
  readonly kind: "open";
  /** So many of the first bytes were for us. */
  readonly consumed: number;
  /** Who is really there, where they say so. */
  readonly peer: PeerAddress | undefined;
  /** The server that a client of TLS asks for, where it names one. */
  readonly serverName?: string | undefined;
}

export interface OpeningHooks {
  /**
   * The transport is to be started, detached or destroyed before this returns. Where it was started, the rest is delivered right
   * after: not within `start`, in which no event comes.
   *
   * @param header  what was for us of the first bytes
   * @param rest  what was not
   */
  readonly onOpen: (opening: Opening, header: Uint8Array, rest: Buffer) => void;
  /** The transport is closed, or being closed. Also told of one that says nothing in time, or goes. */
  readonly onRefused: (why: string) => void;
  /** Told what these functions throw when bytes come; the connection is cut then. */
  readonly onFault: (fault: unknown) => void;
}

/** For a client that is sending still when it is refused. */
const LINGER_MS = 2000;
const NOTHING: Buffer = Buffer.alloc(0);

const DEAF: TransportEvents = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

/**
 * @param transport  not started yet. To give up waiting it may be destroyed: `onRefused` follows.
 * @param decide  asked with all bytes so far, at least one
 */
export function openTransport(
  transport: ByteStream,
  decide: (bytes: Buffer) => OpeningDecision,
  patience: Milliseconds,
  { onOpen, onRefused, onFault }: OpeningHooks,
): void {
  let received = NOTHING;
  let isOpen = false;
  const refuse = (why: string, answer = ""): void => {
    clearTimeout(timer);
    if (answer === "") {
      transport.start(DEAF, onFault);
      transport.destroy();
    } else {
      // What the client has sent and nobody reads would make the kernel reset the connection, answer and all.
      const linger = setTimeout(() => transport.destroy(), LINGER_MS);
      transport.start({ ...DEAF, onClosed: () => clearTimeout(linger) }, onFault);
      transport.write(Buffer.from(answer, "latin1"));
      transport.end();
    }
    onRefused(why);
  };
  const take = (chunk: Buffer): void => {
    if (isOpen) throw new Error("a transport was neither started, detached nor destroyed");
    const bytes = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const decision = decide(bytes);
    switch (decision.kind) {
      case "need-more":
        // The chunk is the transport's.
        received = bytes === chunk ? Buffer.from(chunk) : bytes;
        return;
      case "refused":
        refuse(decision.why, decision.answer);
        return;
      case "open": {
        clearTimeout(timer);
        isOpen = true;
        const rest = bytes.subarray(decision.consumed);
        // The connection may live for hours, and would keep these bytes in memory.
        received = NOTHING;
        onOpen(decision, bytes.subarray(0, decision.consumed), rest);
        transport.deliver(rest);
      }
    }
  };
  const onGone = (): void => {
    if (!isOpen) refuse("the client has disconnected");
  };
  const timer = setTimeout(() => refuse("the client sends nothing"), patience);
  transport.start({ ...DEAF, onBytes: take, onEnd: onGone, onClosed: onGone }, onFault);
}
