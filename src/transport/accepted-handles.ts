/**
 * Accepted handles, before a server makes sockets of them: `net.Server` has no option for that, so its own function for
 * new connections is replaced.
 */
import type { Server } from "node:net";

/**
 * To be called when the server listens.
 *
 * @returns whether handles come from now on; if not, the server's `connection` event goes on telling of sockets
 */
export function takeHandles(server: Server, onHandle: (handle: object) => void): boolean {
  const listening: unknown = "_handle" in server ? server._handle : undefined;
  if (!hasConnectionHandler(listening)) return false;
  listening.onconnection = (status, handle) => {
    // A negative status is a fault of accept(2), such as running out of descriptors; the next one may succeed.
    if (status === 0 && handle !== undefined) onHandle(handle);
  };
  return true;
}

/**
 * Switches Nagle's delay off, which every socket that is accepted then inherits: one system call for all of them.
 */
export function sendAtOnce(server: Server): void {
  const listening: unknown = "_handle" in server ? server._handle : undefined;
  // A Unix socket has no such delay.
  if (hasNoDelay(listening)) listening.setNoDelay(true);
}

interface ConnectionHandling {
  onconnection: (status: number, handle: object | undefined) => void;
}

function hasConnectionHandler(handle: unknown): handle is ConnectionHandling {
  return (
    typeof handle === "object" &&
    handle !== null &&
    "onconnection" in handle &&
    typeof handle.onconnection === "function"
  );
}

function hasNoDelay(handle: unknown): handle is { setNoDelay(on: boolean): number } {
  return (
    typeof handle === "object" && handle !== null && "setNoDelay" in handle && typeof handle.setNoDelay === "function"
  );
}
