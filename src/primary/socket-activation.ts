/**
 * Sockets that a service manager has opened for us (sd_listen_fds(3)).
 *
 *     LISTEN_PID      whom they are meant for; when it is somebody else the variables were merely inherited
 *     LISTEN_FDS      how many: they are the descriptors from 3 on
 *     LISTEN_FDNAMES  their names, with colons between: FileDescriptorName= of the socket unit
 *
 * A name tells what is spoken on a socket: `https` or `http`, the latter also on a socket that nobody named, for which
 * systemd puts in the name of its unit or `unknown`. A name that we do not know is refused: whoever wrote it means something else.
 *
 * Node can tell whether a descriptor is a socket, and no more. That it is a stream and listens shows when it is
 * listened on: a datagram socket and one that is connected (Accept=yes) fail there with EINVAL. A count that is too high
 * may not be noticed at all: Node opens descriptors before the first line of a program runs, and takes the free numbers.
 */
import { fstatSync } from "node:fs";
import { StartupError } from "../base/errors.ts";
import { disarmControls } from "../observe/escape.ts";
import { describeSystemError } from "../observe/thrown.ts";
import { type OwnEnvironment, takeVariables } from "./service-notify.ts";

export interface ActivatedSocket {
  readonly descriptor: number;
  /** As the manager gave it: `http`, `comanche.socket`. */
  readonly name: string;
}

/**
 * Takes the variables out of the environment, also when they are meant for another process.
 *
 * @returns the sockets in their order, open and ours to close; none when nobody opened any
 * @throws StartupError
 */
export function takeActivatedSockets(environment: OwnEnvironment, pid: number): readonly ActivatedSocket[] {
  const sockets = parseActivation(takeVariables(environment, ACTIVATION_VARIABLES), pid);
  for (const socket of sockets) checkSocket(socket);
  return sockets;
}

// The last one is written by systemd from version 258 on; LISTEN_PID says enough.
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
  if (name === "http" || name === "https" || name === "" || name === UNNAMED || name.endsWith(".socket")) return name;
  throw new StartupError(
    `the service manager passes a socket named ${disarmControls(name)}: expected http or https (FileDescriptorName= in the socket unit)`,
  );
}

const FIRST_DESCRIPTOR = 3;
const UNNAMED = "unknown";
// The kernel's largest.
const MAX_PID = 2 ** 22;
const MAX_SOCKETS = 1000;

function describeDescriptor(descriptor: number): string {
  try {
    return fstatSync(descriptor).isSocket() ? "a socket" : "no socket";
  } catch (error) {
    return `not open (${describeSystemError(error)})`;
  }
}
