/** How connections are served: on handles where the self-test passed, else on `net.Socket` and `tls.TLSSocket`. */
import type { Server, Socket } from "node:net";
import type { PeerAddress } from "../base/endpoint.ts";
import { withoutZone } from "../base/ip-address.ts";
import type { WritePool } from "./handle-pool.ts";
import { HandleTransport } from "./handle-transport.ts";
import {
  isStreamHandle,
  type SocketName,
  type StreamHandle,
  sendAtOnce,
  takeHandles,
  takeSocketHandles,
} from "./node-internals.ts";
import { openSharingSocket, peerOf, SocketTransport } from "./socket-transport.ts";
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
  const peer = peerOf(socket) ?? LOST_PEER;
  const handles = pool === undefined ? undefined : takeSocketHandles(socket);
  if (pool === undefined || handles === undefined) return new SocketTransport(socket, peer);
  return new HandleTransport(handles.carrier, pool, peer, handles.tls);
}

/**
 * Call it when the server listens. From then on `onAccepted` gets each connection, without Nagle's delay. A connection
 * that its client has reset before we accept it is closed unread: the kernel no longer says whose it was.
 */
export function takeTransports(
  server: Server,
  choice: TransportChoice,
  onAccepted: (transport: ByteStream) => void,
): void {
  const acceptSocket = (socket: Socket): void => {
    const peer = peerOf(socket);
    if (peer === undefined) socket.destroy();
    else onAccepted(new SocketTransport(socket, peer));
  };
  const acceptHandle = (handle: object): void => {
    if (choice.kind === "socket" || !isStreamHandle(handle)) {
      acceptSocket(openSharingSocket(handle));
      return;
    }
    // Read now: after a reset the kernel no longer has it.
    const peer = peerOfHandle(handle);
    if (peer === undefined) handle.close();
    else onAccepted(new HandleTransport(handle, choice.pool, peer));
  };
  sendAtOnce(server);
  if (!takeHandles(server, acceptHandle)) server.on("connection", acceptSocket);
}

/** Of a connection that we opened and that is lost already. */
const LOST_PEER: PeerAddress = { address: "unknown", port: 0 };

/** @returns undefined for a connection that was reset; a Unix socket has no address */
function peerOfHandle(handle: StreamHandle): PeerAddress | undefined {
  if (handle.getpeername === undefined) return { address: "unix", port: 0 };
  const name: SocketName = {};
  handle.getpeername(name);
  const { address, port = 0 } = name;
  return address === undefined ? undefined : { address: withoutZone(address), port };
}
