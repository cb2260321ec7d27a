/** The first bytes of an accepted connection, inspected until it is clear how to continue. */
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";
import type { ByteStream, TransportEvents } from "./transport.ts";

export type OpeningDecision =
  /** `isSilent`: nothing of the client itself has arrived, at most the header of its proxy. */
  | { readonly kind: "need-more"; readonly isSilent?: true }
  | Opening
  /** `answer`: sent to the client before the end; may be empty. */
  | { readonly kind: "refused"; readonly why: string; readonly answer: string };

interface Opening {
  readonly kind: "open";
  /** How many of the first bytes were for us. */
  readonly consumed: number;
  /** The real client, where a proxy names it. */
  readonly peer: PeerAddress | undefined;
  /** The SNI name, where the client sent one. */
  readonly serverName?: string | undefined;
}

export interface OpeningHooks {
  /**
   * Must start, detach or destroy the transport before it returns. A started transport then delivers `rest`, not within
   * `start`: no event occurs in there. `header` is the part of the first bytes that was for us.
   */
  readonly onOpen: (opening: Opening, header: Uint8Array, rest: Buffer) => void;
  /** The transport is closed or closing. Also called when the opening does not arrive in time, or is cut. */
  readonly onRefused: (why: string) => void;
  /** Instead, for a client that closes without having sent anything: health checks do, every few seconds. */
  readonly onLeft: () => void;
  /** Called with what these functions throw when bytes arrive; the connection is cut then. */
  readonly onFault: (fault: unknown) => void;
}

/** How long a refused client may still send. */
const LINGER_MS = 2000;
const NOTHING: Buffer = Buffer.alloc(0);

const DEAF: TransportEvents = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

/**
 * @param transport  not started yet; destroying it ends the wait, and `onRefused` or `onLeft` follows
 * @param decide  called with all bytes so far, at least one
 */
export function openTransport(
  transport: ByteStream,
  decide: (bytes: Buffer) => OpeningDecision,
  timeout: Milliseconds,
  { onOpen, onRefused, onLeft, onFault }: OpeningHooks,
): void {
  let received = NOTHING;
  let isSilent = true;
  let isOpen = false;
  const close = (): void => {
    clearTimeout(timer);
    transport.start(DEAF, onFault);
    transport.destroy();
  };
  const refuse = (why: string, answer = ""): void => {
    if (answer === "") {
      close();
    } else {
      clearTimeout(timer);
      // Unread bytes from the client would make the kernel reset the connection, and the answer would be lost.
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
        isSilent = decision.isSilent === true;
        // The chunk belongs to the transport.
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
    if (isOpen) return;
    if (!isSilent) {
      refuse("the client has disconnected");
      return;
    }
    close();
    onLeft();
  };
  const timer = setTimeout(() => refuse("the client sends nothing"), timeout);
  transport.start({ ...DEAF, onBytes: take, onEnd: onGone, onClosed: onGone }, onFault);
}
