/** A daemon by default, except under a supervisor, which takes the command's exit for its end. `daemon` overrides. */
import { existsSync } from "node:fs";

export interface Environment {
  readonly pid: number;
  readonly parentPid: number;
  readonly variables: NodeJS.ProcessEnv;
  /** /.dockerenv or /run/.containerenv exists. */
  readonly hasContainerMark: boolean;
}

export interface DaemonRequest {
  readonly daemon: boolean;
  /** False for the built-in default. */
  readonly isSet: boolean;
}

export type Mode =
  | { readonly kind: "daemon" }
  /** `reason`: for the operator, who may have expected a daemon. */
  | { readonly kind: "foreground"; readonly reason: string | undefined };

export function readEnvironment(): Environment {
  return {
    pid: process.pid,
    parentPid: process.ppid,
    variables: process.env,
    hasContainerMark: existsSync("/.dockerenv") || existsSync("/run/.containerenv"),
  };
}

export function decideMode(request: DaemonRequest, environment: Environment): Mode {
  if (!request.daemon) return { kind: "foreground", reason: undefined };
  if (request.isSet) return { kind: "daemon" };
  const supervisor = findSupervisor(environment);
  if (supervisor === undefined) return { kind: "daemon" };
  return { kind: "foreground", reason: `${supervisor}: staying in the foreground (--daemon overrides)` };
}

/** Describes the supervisor; undefined without one. */
function findSupervisor({ pid, parentPid, variables, hasContainerMark }: Environment): string | undefined {
  if (pid === 1) return "running as PID 1";
  if (variables.NOTIFY_SOCKET || variables.SYSTEMD_EXEC_PID === String(pid)) return "under systemd";
  if (variables.LISTEN_PID === String(pid)) return "with sockets from a service manager";
  // systemd before version 248. A shell of the user's session inherits the variable too, but is not a child of PID 1.
  if (variables.INVOCATION_ID && parentPid === 1) return "under systemd";
  if (hasContainerMark || variables.container || variables.KUBERNETES_SERVICE_HOST) return "in a container";
  return undefined;
}
