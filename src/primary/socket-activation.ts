/**
 * Sockets that a service manager has opened for us (sd_listen_fds(3)).
 *
 *     LISTEN_PID      the process they are for; with another PID the variables were merely inherited
 *     LISTEN_FDS      how many: descriptors from 3 on
 *     LISTEN_FDNAMES  their names, separated by colons: FileDescriptorName= of the socket unit
 *
 * `https` and `http` name the protocol. An unnamed socket is http too: systemd names it after its unit, or `unknown`.
 * Any other name is rejected: its author meant something else.
 *
 * Node can tell only whether a descriptor is a socket. A datagram or connected socket fails with EINVAL at listen; systemd
 * names a connected one (Accept=yes) `connection`. A count that is too high may pass: Node opens descriptors before our first line runs, and takes free numbers.
 */
import { fstatSync } from "node:fs";
import { StartupError } from "../base/errors.ts";
import { disarmControls } from "../observe/escape.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { type OwnEnvironment, takeVariables } from "./service-notify.ts";

export interface ActivatedSocket {
  readonly descriptor: number;
  /** From the manager: `http`, `comanche.socket`. */
  readonly name: string;
}

/**
 * Removes the variables from the environment, also when they are for another process.
 *
 * @returns the sockets in their order, ours to close; empty without activation
 * @throws StartupError
 */
export function takeActivatedSockets(environment: OwnEnvironment, pid: number): readonly ActivatedSocket[] {
  const sockets = parseActivation(takeVariables(environment, ACTIVATION_VARIABLES), pid);
  for (const socket of sockets) checkSocket(socket);
  return sockets;
}

// systemd writes LISTEN_PIDFDID from version 258 on; LISTEN_PID is enough.
const ACTIVATION_VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] as const;

/** @throws StartupError */
export function parseActivation(variables: Readonly<OwnEnvironment>, pid: number): readonly ActivatedSocket[] {
  const { LISTEN_PID: target, LISTEN_FDS: count, LISTEN_FDNAMES: names } = variables;
  if (!target || !count) return [];
  if (parseCount("LISTEN_PID", target, MAX_PID) !== pid) return [];
  const many = parseCount("LISTEN_FDS", count, MAX_SOCKETS);
  if (many === 0) return [];
  const each = names === undefined ? Array<string>(many).fill(UNNAMED) : names.split(":");
  if (each.length !== many) {
    throw new StartupError(
      `LISTEN_FDNAMES = ${disarmControls(names ?? "")}: expected as many names as LISTEN_FDS has sockets, ${many}`,
    );
  }
  return each.map((name, index) => ({ descriptor: FIRST_DESCRIPTOR + index, name: parseName(name) }));
}

/** @throws StartupError when the descriptor is no socket */
export function checkSocket({ descriptor, name }: ActivatedSocket): void {
  const found = describeDescriptor(descriptor);
  if (found === "a socket") return;
  throw new StartupError(
    `LISTEN_FDS: descriptor ${descriptor}${name === "" ? "" : ` (${name})`} is ${found}: expected a listening socket`,
  );
}

function parseCount(variable: string, text: string, most: number): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  if (count <= most) return count;
  throw new StartupError(`${variable} = ${disarmControls(text)}: expected a whole number from 0 to ${most}`);
}

function parseName(name: string): string {
  // systemd's own name for the one connection that it passes then.
  if (name === "connection") throw new StartupError(WRONG_ACCEPT);
  if (name === "http" || name === "https" || name === "" || name === UNNAMED || name.endsWith(".socket")) return name;
  throw new StartupError(
    `the service manager passes a socket named ${disarmControls(name)}: expected http or https (FileDescriptorName= in the socket unit)`,
  );
}

const WRONG_ACCEPT =
  "the socket unit has Accept=yes, which starts a server for each connection: write Accept=no in it, as in conf/comanche.socket";
const FIRST_DESCRIPTOR = 3;
const UNNAMED = "unknown";
// The kernel's limit.
const MAX_PID = 2 ** 22;
const MAX_SOCKETS = 1000;

function describeDescriptor(descriptor: number): string {
  try {
    return fstatSync(descriptor).isSocket() ? "a socket" : "no socket";
  } catch (error) {
    return `not open (${describeSystemError(error)})`;
  }
}
