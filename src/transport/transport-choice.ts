/**
 * By which transport accepted connections are served: on their handles where the self-test has passed, else on
 * `net.Socket` and `tls.TLSSocket`.
 */
import type { Server, Socket } from "node:net";
import { HandleTransport, type WritePool } from "./handle-transport.ts";
import { isStreamHandle, sendAtOnce, takeHandles } from "./node-internals.ts";
import { openSharingSocket, SocketTransport } from "./socket-transport.ts";
import type { PlainTransport } from "./transport.ts";

export type TransportChoice =
  | { readonly kind: "handle"; readonly pool: WritePool }
  /** `why`: what speaks against handles. */
  | { readonly kind: "socket"; readonly why: string };

/** For the log: which transport serves, and why not the fast one. */
export function describeTransport(choice: TransportChoice): string {
  if (choice.kind === "handle") return "connections are served on libuv's handles";
  return `connections are served on ordinary sockets, which is slower: ${choice.why}`;
}

/**
 * To be called when the server listens.
 *
 * @param onAccepted  given each accepted connection from now on, without Nagle's delay
 */
export function takeTransports(
  server: Server,
  choice: TransportChoice,
  onAccepted: (transport: PlainTransport) => void,
): void {
  const acceptSocket = (socket: Socket): void => onAccepted(new SocketTransport(socket));
  const acceptHandle = (handle: object): void => {
    if (choice.kind === "handle" && isStreamHandle(handle)) onAccepted(new HandleTransport(handle, choice.pool));
    else acceptSocket(openSharingSocket(handle));
  };
  sendAtOnce(server);
  if (!takeHandles(server, acceptHandle)) server.on("connection", acceptSocket);
}
