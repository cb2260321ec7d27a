/**
 * Foreground or background: a daemon by default, except where something else already looks after the process and would
 * take its leaving for its end. Such a place is told by what it leaves in the environment and in the file system.
 * An explicit `daemon` setting always wins.
 */
import { existsSync } from "node:fs";
import type { Environment } from "./user-directories.ts";

export interface Surroundings {
  readonly pid: number;
  readonly parentPid: number;
  readonly environment: Environment;
  /** /.dockerenv or /run/.containerenv is there. */
  readonly hasContainerMark: boolean;
}

export interface DaemonWish {
  readonly daemon: boolean;
  /** False when nobody set it. */
  readonly isSet: boolean;
}

export type Mode =
  | { readonly kind: "daemon" }
  /** `reason`: what to tell the operator, who may have expected a daemon. */
  | { readonly kind: "foreground"; readonly reason: string | undefined };

export function readSurroundings(): Surroundings {
  return {
    pid: process.pid,
    parentPid: process.ppid,
    environment: process.env,
    hasContainerMark: existsSync("/.dockerenv") || existsSync("/run/.containerenv"),
  };
}

export function decideMode(wish: DaemonWish, around: Surroundings): Mode {
  if (!wish.daemon) return { kind: "foreground", reason: undefined };
  if (wish.isSet) return { kind: "daemon" };
  const keeper = findKeeper(around);
  if (keeper === undefined) return { kind: "daemon" };
  return { kind: "foreground", reason: `${keeper}: staying in the foreground (--daemon overrides)` };
}

/** Who looks after this process; undefined when nobody does. */
function findKeeper({ pid, parentPid, environment, hasContainerMark }: Surroundings): string | undefined {
  if (pid === 1) return "running as PID 1";
  if (environment.NOTIFY_SOCKET || environment.SYSTEMD_EXEC_PID === String(pid)) return "under systemd";
  if (environment.LISTEN_PID === String(pid)) return "with sockets of a service manager";
  // systemd before version 248. A shell of the user's session inherits the variable too, but is not a child of PID 1.
  if (environment.INVOCATION_ID && parentPid === 1) return "under systemd";
  if (hasContainerMark || environment.container || environment.KUBERNETES_SERVICE_HOST) return "in a container";
  return undefined;
}
