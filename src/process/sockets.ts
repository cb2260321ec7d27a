/**
 * The sockets of the server: bound by the primary process, and kept across reloads for as long as the settings name them.
 */
import { lookup } from "node:dns/promises";
import { errorCode, StartupError } from "../base/errors.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import { type BoundSocket, bindSocket } from "../net/bound-socket.ts";
import { type Endpoint, endpointsFor, formatEndpoint } from "../net/endpoint.ts";
import type { ListenSocket } from "../net/listener.ts";
import type { ActivatedSocket } from "./socket-activation.ts";

/** The part of the settings that says where to listen. */
export interface SocketWish {
  readonly address: readonly ListenAddress[];
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly socketMode: number;
}

export class Sockets {
  /** Bound by a service manager, which then has decided where the server listens. */
  readonly #activated: readonly ListenSocket[];
  /** By what was asked for, so that port 0 keeps the port it got. */
  #bound = new Map<string, BoundSocket>();

  constructor(activated: readonly Pick<ActivatedSocket, "descriptor" | "name">[] = []) {
    this.#activated = activated.map(({ descriptor, name }) => ({
      descriptor,
      endpoint: undefined,
      ...(name === "https" ? { isTls: true } : {}),
    }));
  }

  /**
   * Binds what is wished for and not bound yet. With port 0 the first socket takes a free port, and the others the same.
   *
   * @returns a choice: `take` makes it the server's sockets and closes all others, `giveUp` closes what is new in it
   * @throws StartupError when one cannot be bound; nothing has changed then
   */
  async choose({ address: addresses, port, tlsPort, socketMode }: SocketWish): Promise<SocketChoice> {
    if (this.#activated.length > 0) return chooseActivated(this.#activated, tlsPort !== undefined);
    const wishes: readonly PortWish[] = [
      { port, isTls: false },
      ...(tlsPort === undefined ? [] : [{ port: tlsPort, isTls: true }]),
    ];
    const chosen = new Map<string, BoundSocket>();
    const fresh: BoundSocket[] = [];
    const giveUp = (): void => {
      for (const socket of fresh) socket.close();
    };
    const chooseFor = async (wish: PortWish): Promise<void> => {
      let freePort = 0;
      for (const address of addresses) {
        for (const asked of await endpointsOf(address, wish)) {
          // Of two free ports each is its own; any other port is the same whatever is spoken on it.
          const key = `${formatEndpoint(asked)}${wish.isTls && wish.port === 0 ? " with TLS" : ""}`;
          let socket = markFor(wish, this.#bound.get(key) ?? chosen.get(key));
          if (socket === undefined) {
            // The free port may have been found since the list was made.
            const wanted = asked.kind === "tcp" && asked.port === 0 ? { ...asked, port: freePort } : asked;
            socket = await bindIfPossible(wanted, socketMode, address);
            if (socket === undefined) continue;
            fresh.push(socket);
          }
          chosen.set(key, socket);
          if (wish.port === 0 && socket.endpoint.kind === "tcp") freePort = socket.endpoint.port;
        }
      }
    };
    try {
      for (const wish of wishes) await chooseFor(wish);
    } catch (error) {
      giveUp();
      throw error;
    }
    const take = (): void => {
      for (const [key, { descriptor, close }] of this.#bound) if (chosen.get(key)?.descriptor !== descriptor) close();
      this.#bound = chosen;
    };
    return { sockets: [...chosen.values()], notices: [], take, giveUp };
  }

  close(): void {
    for (const socket of this.#bound.values()) socket.close();
    this.#bound = new Map();
  }
}

export interface SocketChoice {
  readonly sockets: readonly ListenSocket[];
  /** What the operator should know. */
  readonly notices: readonly string[];
  readonly take: () => void;
  readonly giveUp: () => void;
}

/** @throws StartupError when they and the settings do not agree on TLS */
function chooseActivated(sockets: readonly ListenSocket[], wantsTls: boolean): SocketChoice {
  const hasTls = sockets.some(({ isTls }) => isTls === true);
  if (wantsTls && !hasTls) {
    throw new StartupError(
      "tls-port is set, and the service manager passes no socket with the name https (FileDescriptorName=https in a socket unit)",
    );
  }
  if (hasTls && !wantsTls) {
    throw new StartupError(
      "the service manager passes a socket with the name https: expected tls-port and tls-cert too",
    );
  }
  const notice = `listens on the sockets of the service manager (${sockets.length}); address and port are not used`;
  return { sockets, notices: [notice], take: () => undefined, giveUp: () => undefined };
}

interface PortWish {
  readonly port: number;
  readonly isTls: boolean;
}

/** A host name stands for all its addresses. @throws StartupError for a name that is not known */
async function endpointsOf(address: ListenAddress, { port, isTls }: PortWish): Promise<readonly Endpoint[]> {
  if (isTls) return (await endpointsOf(address, { port, isTls: false })).flatMap(withTls);
  if (address.kind !== "name") return endpointsFor(address, port);
  try {
    const found = await lookup(address.name, { all: true });
    return found.map((each) => ({ kind: "tcp", host: each.address, port }));
  } catch (cause) {
    throw new StartupError(`cannot listen on ${address.name}: the name is not known`, { cause });
  }
}

/**
 * @returns undefined for an address this machine does not have, where that is no fault: one half of `*`, and what a name
 *          stands for besides its other addresses
 */
async function bindIfPossible(
  endpoint: Endpoint,
  mode: number,
  address: ListenAddress,
): Promise<BoundSocket | undefined> {
  try {
    return await bindSocket(endpoint, mode);
  } catch (error) {
    const code = error instanceof Error ? (errorCode(error.cause) ?? "") : "";
    const isMissing = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
    const isOneOfSeveral = address.kind === "every" || (address.kind === "name" && isIpv6(endpoint));
    if (isMissing && isOneOfSeveral) return undefined;
    throw error;
  }
}

/** A socket that is bound already, for what is to be spoken on it from now on. */
function markFor({ isTls }: PortWish, socket: BoundSocket | undefined): BoundSocket | undefined {
  if (socket === undefined || socket.endpoint.kind === "unix") return socket;
  const { host, port, isTls: wasTls = false } = socket.endpoint;
  if (isTls === wasTls) return socket;
  return { ...socket, endpoint: { kind: "tcp", host, port, ...(isTls ? { isTls } : {}) } };
}

/** A Unix socket stays plain: who gets to it is on this machine. */
function withTls(endpoint: Endpoint): readonly Endpoint[] {
  return endpoint.kind === "unix" ? [] : [{ ...endpoint, isTls: true }];
}

function isIpv6(endpoint: Endpoint): boolean {
  return endpoint.kind === "tcp" && endpoint.host.includes(":");
}
