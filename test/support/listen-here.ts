/**
 * A listener of this very process on an endpoint: what a server's primary and its worker do together.
 */
import type { Endpoint } from "../../src/base/endpoint.ts";
import { probeHandles } from "../../src/tls/probe-handles.ts";
import { bindSocket } from "../../src/transport/bound-socket.ts";
import { Listener } from "../../src/transport/listener.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import type { TransportChoice } from "../../src/transport/transport-choice.ts";

/** @param choice  undefined: as a server chooses */
export async function listenHere(
  endpoint: Endpoint,
  backlog: number,
  onAccepted: (transport: ByteStream) => void,
  choice?: TransportChoice,
): Promise<Listener> {
  const transports = choice ?? (await probeHandles());
  const bound = await bindSocket(endpoint, 0o600);
  // One descriptor, and from now on it is the listener's: the bound socket is not closed as well.
  return Listener.open(bound, backlog, { choice: transports, onAccepted });
}
