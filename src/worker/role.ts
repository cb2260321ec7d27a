/**
 * What a worker does for those who connect: it serves the sites, or it is one terminator. It may have several roles.
 */
import type { Purpose } from "../transport/endpoint.ts";
import type { Reception } from "../transport/listener.ts";
import type { DrainMode, RoleMessage, WorkerReport } from "./messages.ts";

/** For the log, with what was thrown. */
export const CONNECTION_FAULT = "internal error in a connection";

export interface Role {
  /** How many connections may wait to be accepted. */
  readonly backlog: number;
  /** Who gets what is accepted; undefined where that purpose is somebody else's. */
  reception(purpose: Purpose): Reception | undefined;
  /** How busy it is now. The threads are not a role's. */
  report(): Omit<WorkerReport, "pool">;
  /** Lets what is under way end. May be called again when the mode has changed. @returns when the last connection is gone */
  drain(mode: DrainMode): Promise<void>;
  /** Cuts every connection. @returns how many of them were busy */
  cut(): number;
  /** To be called when the last connection is gone. @returns when nothing of it runs any more */
  close(): Promise<void>;
  /** Ignores what concerns other roles. @throws what OpenSSL says of new certificates; the old ones stay in use then */
  receive(message: RoleMessage): void;
}
