/**
 * By which transport accepted connections are served: on their handles where the self-test has passed, else on
 * `net.Socket`. TLS is always on sockets of its own.
 */
import type { Server, Socket } from "node:net";
import { sendAtOnce, takeHandles } from "./accepted-handles.ts";
import { type HandleKit, HandleTransport } from "./handle-transport.ts";
import { openSharingSocket } from "./shared-reads.ts";
import { SocketTransport } from "./socket-transport.ts";
import { isStreamHandle } from "./stream-internals.ts";
import type { AcceptedTransport } from "./transport.ts";

export type TransportChoice =
  | { readonly kind: "handle"; readonly kit: HandleKit }
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
  onAccepted: (transport: AcceptedTransport) => void,
): void {
  // A Unix socket has a path for an address, or none when its descriptor was inherited.
  const address = server.address();
  const isUnix = address === null || typeof address === "string";
  const acceptSocket = (socket: Socket): void => onAccepted(new SocketTransport(socket, isUnix));
  const acceptHandle = (handle: object): void => {
    if (choice.kind === "handle" && isStreamHandle(handle)) onAccepted(new HandleTransport(handle, choice.kit));
    else acceptSocket(openSharingSocket(handle));
  };
  sendAtOnce(server);
  if (!takeHandles(server, acceptHandle)) server.on("connection", acceptSocket);
}
