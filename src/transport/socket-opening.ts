/**
 * What comes first on an accepted socket, before whoever serves it reads: looked at until it is clear how to go on, and
 * given back but for what was meant for us.
 */
import type { Socket } from "node:net";
import type { PeerAddress } from "../base/endpoint.ts";
import type { Milliseconds } from "../base/units.ts";

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
  /** The socket is paused, and has what is left to read. `header`: what was for us of its bytes. */
  readonly onOpen: (opening: Opening, header: Uint8Array) => void;
  /** The socket is closed, or being closed. Also told of one that says nothing in time, or goes. */
  readonly onRefused: (why: string) => void;
}

/** For a client that is sending still when it is refused. */
const LINGER_MS = 2000;

/** @param decide  asked with all bytes so far, at least one */
export function openSocket(
  socket: Socket,
  decide: (bytes: Buffer) => OpeningDecision,
  patience: Milliseconds,
  { onOpen, onRefused }: OpeningHooks,
): void {
  let received: Buffer = Buffer.alloc(0);
  const leave = (): void => {
    clearTimeout(timer);
    socket.off("data", take);
    socket.off("close", onClose);
    socket.off("end", onEnd);
  };
  const refuse = (why: string, answer = ""): void => {
    leave();
    // What the client has sent and nobody reads would make the kernel reset the connection, answer and all.
    if (answer === "") {
      socket.destroy();
    } else {
      socket.resume().end(answer);
      const linger = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once("close", () => clearTimeout(linger));
    }
    onRefused(why);
  };
  const take = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const decision = decide(received);
    switch (decision.kind) {
      case "need-more":
        return;
      case "refused":
        refuse(decision.why, decision.answer);
        return;
      case "open":
        leave();
        socket.pause();
        if (decision.consumed < received.length) socket.unshift(received.subarray(decision.consumed));
        onOpen(decision, received.subarray(0, decision.consumed));
    }
  };
  const onClose = (): void => refuse("the client has gone");
  const onEnd = (): void => refuse("the client has gone");
  const timer = setTimeout(() => refuse("the client says nothing"), patience);
  socket.on("data", take);
  socket.on("close", onClose);
  socket.on("end", onEnd);
  // A broken connection is an ordinary end; `close` follows each error.
  socket.on("error", () => undefined);
}
