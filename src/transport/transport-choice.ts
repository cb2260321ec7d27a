/** How connections are served: on handles where the self-test passed, else on `net.Socket` and `tls.TLSSocket`. */
import type { Server, Socket } from "node:net";
import type { WritePool } from "./handle-pool.ts";
import { HandleTransport } from "./handle-transport.ts";
import { isStreamHandle, sendAtOnce, takeHandles, takeSocketHandles } from "./node-internals.ts";
import { openSharingSocket, SocketTransport } from "./socket-transport.ts";
import type { ByteStream } from "./transport.ts";

export type TransportChoice =
  | { readonly kind: "handle"; readonly pool: WritePool }
  /** `why`: the reason against handles. */
  | { readonly kind: "socket"; readonly why: string };

/** For the log: the transport in use, and why not the fast one. */
export function describeTransport(choice: TransportChoice): string {
  if (choice.kind === "handle") return "connections use libuv's handles";
  return `connections use ordinary sockets, which is slower: ${choice.why}`;
}

/** @param socket  has just connected or finished its handshake; its former owner no longer reads or writes it */
export function streamOver(socket: Socket, pool: WritePool | undefined): ByteStream {
  const handles = pool === undefined ? undefined : takeSocketHandles(socket);
  if (pool === undefined || handles === undefined) return new SocketTransport(socket);
  return new HandleTransport(handles.carrier, pool, handles.tls);
}

/** Call it when the server listens. From then on `onAccepted` gets each connection, without Nagle's delay. */
export function takeTransports(
  server: Server,
  choice: TransportChoice,
  onAccepted: (transport: ByteStream) => void,
): void {
  const acceptSocket = (socket: Socket): void => onAccepted(new SocketTransport(socket));
  const acceptHandle = (handle: object): void => {
    if (choice.kind === "handle" && isStreamHandle(handle)) onAccepted(new HandleTransport(handle, choice.pool));
    else acceptSocket(openSharingSocket(handle));
  };
  sendAtOnce(server);
  if (!takeHandles(server, acceptHandle)) server.on("connection", acceptSocket);
}
