/**
 * A listener of this very process on an endpoint: what a server's primary and its worker do together.
 */
import { bindSocket } from "../../src/net/bound-socket.ts";
import type { Endpoint } from "../../src/net/endpoint.ts";
import { Listener } from "../../src/net/listener.ts";
import { probeHandleTransport } from "../../src/net/probe-handle-transport.ts";
import type { AcceptedTransport } from "../../src/net/transport.ts";
import type { TransportChoice } from "../../src/net/transport-choice.ts";

/** @param choice  undefined: as a server chooses */
export async function listenHere(
  endpoint: Endpoint,
  backlog: number,
  onAccepted: (transport: AcceptedTransport) => void,
  choice?: TransportChoice,
): Promise<Listener> {
  const transports = choice ?? (await probeHandleTransport());
  const bound = await bindSocket(endpoint, 0o600);
  // One descriptor, and from now on it is the listener's: the bound socket is not closed as well.
  return Listener.open(bound, backlog, { kind: "transports", choice: transports, onAccepted });
}
