/**
 * What a process is given to listen on, and what is spoken there.
 */
import type { Endpoint } from "../base/endpoint.ts";

export type Purpose =
  | { readonly kind: "http" }
  | { readonly kind: "https" }
  /** `name`: of the terminator whose clients come there. */
  | { readonly kind: "terminator"; readonly name: string };

/** `http`, `https` or `[TLS terminator NAME]`: for messages, and no two alike. */
export function formatPurpose(purpose: Purpose): string {
  return purpose.kind === "terminator" ? `[TLS terminator ${purpose.name}]` : purpose.kind;
}

/** A bound socket that this process has the descriptor of. */
export interface ListenSocket {
  readonly descriptor: number;
  /** Undefined for one that a service manager has bound. */
  readonly endpoint: Endpoint | undefined;
  readonly purpose: Purpose;
}

/** A socket that is listened on, and what it is really bound to. */
export interface ServedEndpoint {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}
