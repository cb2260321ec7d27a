/** The endpoints of one listen address, what is spoken there, and why one of them could not be bound. */
import type { Endpoint } from "../base/endpoint.ts";
import { unreachable } from "../base/errors.ts";
import type { ListenAddress } from "../config/listen-address.ts";

export type Purpose =
  | { readonly kind: "http" }
  | { readonly kind: "https" }
  /** `name`: of the terminator that serves these clients. */
  | { readonly kind: "terminator"; readonly name: string };

/** `http`, `https` or `[TLS terminator NAME]`: for messages, and no two alike. */
export function formatPurpose(purpose: Purpose): string {
  return purpose.kind === "terminator" ? `[TLS terminator ${purpose.name}]` : purpose.kind;
}

/** A bound socket whose descriptor this process has. */
export interface ListenSocket {
  readonly descriptor: number;
  /** Undefined for a socket that a service manager bound. */
  readonly endpoint: Endpoint | undefined;
  readonly purpose: Purpose;
}

/** A listening socket and its real address. */
export interface ServedEndpoint {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}

/** All sockets for one word of the `address` option. `*`: one socket for all IPv4 and one for all IPv6. */
export function endpointsFor(address: ListenAddress, port: number): readonly Endpoint[] {
  switch (address.kind) {
    case "every":
      return [
        { kind: "tcp", host: "0.0.0.0", port },
        { kind: "tcp", host: "::", port },
      ];
    case "ip":
      return [{ kind: "tcp", host: address.address, port }];
    case "name":
      return [{ kind: "tcp", host: address.name, port }];
    case "unix":
      return [{ kind: "unix", path: address.path }];
    default:
      return unreachable(address);
  }
}

/** Why nothing can be accepted on a socket of the service manager's: the end of a sentence that names its descriptor. */
export function explainInheritedFault(code: string | undefined): string {
  if (code !== "EINVAL" && code !== "EOPNOTSUPP") return code ?? "unknown error";
  return "it is a connection or a datagram socket; a socket unit needs Accept=no and ListenStream=";
}

/** Why an endpoint could not be bound, and what to do: the end of a sentence that names the endpoint. */
export function explainListenFault(code: string | undefined, endpoint: Endpoint): string {
  switch (code) {
    case "EADDRINUSE":
      return endpoint.kind === "unix"
        ? "another program listens there, or the file is not a socket"
        : "the port is in use; choose another one, or stop the program that uses it";
    case "EACCES":
      return endpoint.kind === "tcp" && endpoint.port < 1024 && endpoint.port !== 0
        ? "permission denied; ports below 1024 need root, try -p 8080"
        : "permission denied";
    case "EADDRNOTAVAIL":
      return "this machine does not have that address";
    case "EAFNOSUPPORT":
      return "this machine does not support that address family";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name cannot be resolved";
    case "ENOENT":
      return "there is no such directory";
    default:
      return code ?? "unknown error";
  }
}
