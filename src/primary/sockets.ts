/** The server's sockets: the primary binds them and keeps them across reloads while the settings name them. */
import { lookup } from "node:dns/promises";
import { type Endpoint, formatEndpoint } from "../base/endpoint.ts";
import { errorCode, StartupError } from "../base/errors.ts";
import type { ListenAddress } from "../config/listen-address.ts";
import type { Settings } from "../config/settings.ts";
import { type BoundSocket, bindSocket } from "../transport/bound-socket.ts";
import { endpointsFor, formatPurpose, type ListenSocket, type Purpose } from "../transport/endpoint.ts";
import type { ActivatedSocket } from "./socket-activation.ts";

/** Addresses to bind for one purpose. */
export interface ListenSpec {
  readonly purpose: Purpose;
  readonly addresses: readonly ListenAddress[];
  /** 0: a free port, the same for all addresses. */
  readonly port: number;
}

/** The sites' first. */
export function listenSpecs({ server, terminators }: Pick<Settings, "server" | "terminators">): readonly ListenSpec[] {
  const { address: addresses, port, tlsPort } = server;
  // A Unix socket stays plain: its clients are on this machine.
  const onTcp = addresses.filter(({ kind }) => kind !== "unix");
  return [
    { purpose: { kind: "http" }, addresses, port },
    ...(tlsPort === undefined ? [] : [{ purpose: { kind: "https" }, addresses: onTcp, port: tlsPort } as const]),
    ...[...terminators].map(([name, { frontend }]) => ({
      purpose: { kind: "terminator", name } as const,
      addresses: [frontend.address],
      port: frontend.port,
    })),
  ];
}

interface Chosen {
  readonly socket: BoundSocket;
  readonly purpose: Purpose;
}

export class Sockets {
  /** Bound by a service manager, which then decides the addresses of the sites. */
  readonly #activated: readonly ListenSocket[];
  /** Keyed by the requested endpoint, so that port 0 keeps the port it got. */
  #bound = new Map<string, Chosen>();

  constructor(activated: readonly Pick<ActivatedSocket, "descriptor" | "name">[] = []) {
    this.#activated = activated.map(({ descriptor, name }) => ({
      descriptor,
      endpoint: undefined,
      purpose: { kind: name === "https" ? "https" : "http" },
    }));
  }

  /**
   * Binds what is not bound yet. With port 0 the first socket takes a free port, and the others the same.
   *
   * @param socketMode  permissions of a Unix socket
   * @returns a choice: `commit` makes it the server's sockets and closes all others, `cancel` closes its new ones
   * @throws StartupError when one cannot be bound; nothing has changed then
   */
  async choose(specs: readonly ListenSpec[], socketMode: number): Promise<SocketChoice> {
    const activated = this.#activated.length === 0 ? undefined : chooseActivated(this.#activated, specs);
    const chosen = new Map<string, Chosen>();
    const fresh: BoundSocket[] = [];
    const cancel = (): void => {
      for (const socket of fresh) socket.close();
    };
    const chooseFor = async ({ purpose, addresses, port }: ListenSpec): Promise<void> => {
      let freePort = 0;
      for (const address of addresses) {
        for (const asked of await endpointsOf(address, port)) {
          const key = keyOf(asked, purpose);
          const rival = chosen.get(key);
          checkRival(rival?.purpose, purpose, asked);
          let socket = (rival ?? this.#bound.get(key))?.socket;
          if (socket === undefined) {
            // An earlier address may have found the free port.
            const wanted = asked.kind === "tcp" && asked.port === 0 ? { ...asked, port: freePort } : asked;
            socket = await bindIfPossible(wanted, socketMode, address);
            if (socket === undefined) continue;
            fresh.push(socket);
          }
          chosen.set(key, { socket, purpose });
          if (port === 0 && socket.endpoint.kind === "tcp") freePort = socket.endpoint.port;
        }
      }
    };
    try {
      for (const spec of activated?.others ?? specs) await chooseFor(spec);
    } catch (error) {
      cancel();
      throw error;
    }
    const commit = (): void => {
      for (const [key, { socket }] of this.#bound) {
        if (chosen.get(key)?.socket.descriptor !== socket.descriptor) socket.close();
      }
      this.#bound = chosen;
    };
    const sockets = [...chosen.values()].map(({ socket: { descriptor, endpoint }, purpose }) => ({
      descriptor,
      endpoint,
      purpose,
    }));
    return {
      sockets: [...(activated?.sockets ?? []), ...sockets],
      notices: activated === undefined ? [] : [activated.notice],
      commit,
      cancel,
    };
  }

  close(): void {
    for (const { socket } of this.#bound.values()) socket.close();
    this.#bound = new Map();
  }
}

export interface SocketChoice {
  readonly sockets: readonly ListenSocket[];
  /** For the operator. */
  readonly notices: readonly string[];
  readonly commit: () => void;
  readonly cancel: () => void;
}

interface Activation {
  readonly sockets: readonly ListenSocket[];
  readonly notice: string;
  /** Still to be bound: the service manager's sockets are those of the sites. */
  readonly others: readonly ListenSpec[];
}

/** @throws StartupError when sockets and settings do not agree */
function chooseActivated(sockets: readonly ListenSocket[], specs: readonly ListenSpec[]): Activation {
  const isWanted = (kind: Purpose["kind"]): boolean =>
    specs.some(({ purpose, addresses }) => purpose.kind === kind && addresses.length > 0);
  const hasTls = sockets.some(({ purpose }) => purpose.kind === "https");
  if (!isWanted("http")) {
    throw new StartupError(
      "the service manager passes sockets, but no site is served: a terminator binds its own sockets",
    );
  }
  if (isWanted("https") && !hasTls) {
    throw new StartupError(
      "tls-port is set, but the service manager passes no socket named https (FileDescriptorName=https in a socket unit)",
    );
  }
  if (hasTls && !isWanted("https")) {
    throw new StartupError("the service manager passes a socket named https: expected tls-port and tls-cert too");
  }
  const notice = `listens on the sockets of the service manager (${sockets.length}); address and port are not used`;
  return { sockets, notice, others: specs.filter(({ purpose }) => purpose.kind === "terminator") };
}

/** An endpoint has one purpose. */
function checkRival(present: Purpose | undefined, wanted: Purpose, endpoint: Endpoint): void {
  if (present === undefined || formatPurpose(present) === formatPurpose(wanted)) return;
  const rivals = `for ${formatPurpose(wanted)}: it is for ${formatPurpose(present)} already`;
  throw new StartupError(`cannot listen on ${formatEndpoint(endpoint)} ${rivals}`);
}

/** Each purpose gets its own free port; any other port is one endpoint whatever is spoken on it. */
function keyOf(asked: Endpoint, purpose: Purpose): string {
  const isFree = asked.kind === "tcp" && asked.port === 0;
  return isFree ? `${formatEndpoint(asked)} for ${formatPurpose(purpose)}` : formatEndpoint(asked);
}

/** A host name means all its addresses. @throws StartupError for an unknown name */
async function endpointsOf(address: ListenAddress, port: number): Promise<readonly Endpoint[]> {
  if (address.kind !== "name") return endpointsFor(address, port);
  try {
    const found = await lookup(address.name, { all: true });
    return found.map((each) => ({ kind: "tcp", host: each.address, port }));
  } catch (cause) {
    throw new StartupError(`cannot listen on ${address.name}: the host name cannot be resolved`, { cause });
  }
}

/** @returns undefined for an address the machine lacks, where that is no fault: half of `*`, or IPv6 of a name */
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

function isIpv6(endpoint: Endpoint): boolean {
  return endpoint.kind === "tcp" && endpoint.host.includes(":");
}
