/**
 * A listener of this very process on an endpoint: what a server's primary and its worker do together.
 */
import type { Socket } from "node:net";
import { bindSocket } from "../../src/net/bound-socket.ts";
import type { Endpoint } from "../../src/net/endpoint.ts";
import { Listener } from "../../src/net/listener.ts";

export async function listenHere(
  endpoint: Endpoint,
  backlog: number,
  onSocket: (socket: Socket) => void,
): Promise<Listener> {
  const bound = await bindSocket(endpoint, 0o600);
  // One descriptor, and from now on it is the listener's: the bound socket is not closed as well.
  return Listener.open(bound, backlog, onSocket);
}
