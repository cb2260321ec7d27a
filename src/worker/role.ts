/** What a worker does for clients: it serves the sites, or is one terminator. A worker may have several roles. */
import { formatPeer, type PeerAddress } from "../base/endpoint.ts";
import type { Purpose } from "../transport/endpoint.ts";
import type { Reception } from "../transport/listener.ts";
import type { DrainMode, RoleMessage, WorkerReport } from "./messages.ts";

/** Log text; what was thrown follows. */
export const CONNECTION_FAULT = "internal error in a connection";

export function describeLeft(peer: PeerAddress): string {
  return `${formatPeer(peer)}: closed without having sent anything`;
}

export interface Role {
  readonly backlog: number;
  /** Undefined for a purpose of another role. */
  reception(purpose: Purpose): Reception | undefined;
  report(): Omit<WorkerReport, "pool">;
  /** May be called again when the mode has changed. @returns when the last connection is closed */
  drain(mode: DrainMode): Promise<void>;
  /** Cuts every connection. @returns how many were busy */
  cut(): number;
  /** Call it after `drain` or `cut`. @returns when its handlers and tasks have ended, or after a timeout */
  close(): Promise<void>;
  /** Ignores messages for other roles. @throws OpenSSL's error for new certificates; the old ones stay in use then */
  receive(message: RoleMessage): void;
}
