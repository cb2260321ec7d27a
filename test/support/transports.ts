/**
 * Every way in which a server may serve its connections, for tests that hold for all of them; and the simplest listener.
 */
import { probeHandleTransport } from "../../src/net/probe-handle-transport.ts";
import { findStreamInternals } from "../../src/net/stream-internals.ts";
import type { AcceptedTransport, TransportEvents } from "../../src/net/transport.ts";
import type { TransportChoice } from "../../src/net/transport-choice.ts";

export interface NamedTransport {
  readonly kind: TransportChoice["kind"];
  readonly choice: Promise<TransportChoice>;
}

const socket: NamedTransport = {
  kind: "socket",
  choice: Promise.resolve({ kind: "socket", why: "the test wants it" }),
};

/** Where Node withholds its inside from us the handles are left out; that it does not is a test of its own. */
export function eachTransport(): readonly NamedTransport[] {
  if (findStreamInternals().kind === "missing") return [socket];
  return [{ kind: "handle", choice: requireHandles() }, socket];
}

async function requireHandles(): Promise<TransportChoice> {
  const choice = await probeHandleTransport();
  if (choice.kind === "socket") throw new Error(choice.why);
  return choice;
}

export function sayHello(transport: AcceptedTransport): void {
  transport.start(deaf, rethrow);
  transport.write(Buffer.from("hello"));
  transport.end();
}

const deaf: TransportEvents = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

function rethrow(fault: unknown): never {
  throw fault;
}
