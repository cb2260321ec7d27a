/** Bound sockets that do not accept: the primary process owns them; worker processes inherit them and listen. */
import { chmodSync, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { getSystemErrorName } from "node:util";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import { explainListenFault } from "./endpoint.ts";
import { type BoundHandle, createBoundHandle, type SocketName } from "./node-internals.ts";

/** The descriptor is ours until `close`; a process that is started with it keeps a copy. */
export interface BoundSocket {
  /** What is really bound: port 0 has become a number. */
  readonly endpoint: Endpoint;
  readonly descriptor: number;
  /** Also removes a Unix socket's file. */
  close(): void;
}

/** Binds an address, not a name, without listening. @throws StartupError with the endpoint and a remedy */
export async function bindSocket(endpoint: Endpoint, socketMode: number): Promise<BoundSocket> {
  try {
    if (endpoint.kind === "tcp") return bindTcp(endpoint);
    await removeStaleSocket(endpoint.path);
    return bindUnix(endpoint, socketMode);
  } catch (cause) {
    const why = explainListenFault(errorCode(cause), endpoint);
    throw new StartupError(`cannot listen on ${formatEndpoint(endpoint)}: ${why}`, { cause });
  }
}

/** UV_TCP_IPV6ONLY: `::` must not take IPv4's place silently. */
const IPV6_ONLY = 1;

function bindTcp(wanted: Extract<Endpoint, { kind: "tcp" }>): BoundSocket {
  const { host, port } = wanted;
  const isIpv6 = host.includes(":");
  const handle = createHandle(host, port, isIpv6 ? 6 : 4, isIpv6 ? IPV6_ONLY : 0);
  const name: SocketName = {};
  const status = handle.getsockname?.(name) ?? 0;
  // libuv keeps the error of a port in use until `listen`; until then the socket is bound to no port.
  if (status !== 0 || !name.port || (port !== 0 && name.port !== port)) {
    handle.close();
    throw systemError("EADDRINUSE");
  }
  const endpoint: Endpoint = { ...wanted, host: name.address ?? host, port: name.port };
  return { endpoint, descriptor: handle.fd, close: () => handle.close() };
}

function bindUnix(endpoint: Extract<Endpoint, { kind: "unix" }>, mode: number): BoundSocket {
  const handle = createHandle(endpoint.path, -1, -1, 0);
  // Clients cannot connect yet: the socket does not listen.
  chmodSync(endpoint.path, mode);
  return { endpoint, descriptor: handle.fd, close: () => handle.close() };
}

const createHandle = (...args: Parameters<typeof createBoundHandle>): BoundHandle => {
  const handle = createBoundHandle(...args);
  if (typeof handle === "number") throw systemError(getSystemErrorName(handle));
  return handle;
};

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/**
 * Removes a socket file whose server refuses connections; anything else stays.
 * @throws ENOENT when its directory is missing; binding itself reports that as a lack of permission
 */
async function removeStaleSocket(path: string): Promise<void> {
  statSync(path.slice(0, path.lastIndexOf("/") + 1));
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  if (await isRefused(path)) unlinkSync(path);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(errorCode(error) === "ECONNREFUSED"));
  });
}
