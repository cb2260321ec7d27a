/**
 * That the same sites are served with TLS too, and what clients without it are told (RFC 6797).
 */

import type { Seconds } from "../base/units.ts";
import type { RequestHead } from "../http/request-head.ts";
import type { Field } from "../http/response-plan.ts";
import type { Resource } from "./resource.ts";

export interface TlsPresence {
  readonly port: number;
  /** Whether nothing is served without TLS. */
  readonly redirects: boolean;
  /** 0: nothing is said. */
  readonly hsts: Seconds;
}

const HTTPS_PORT = 443;

/** The same target with TLS. Whoever names no host cannot be sent anywhere. */
export function redirectToTls(head: RequestHead, { port }: TlsPresence): Resource {
  if (head.host === undefined) return { kind: "refused", status: 400, reason: "bad-host" };
  const authority = port === HTTPS_PORT ? head.host.name : `${head.host.name}:${port}`;
  const path = head.path === "*" ? "/" : head.path;
  const query = head.query === undefined ? "" : `?${head.query}`;
  return { kind: "redirect", location: `https://${authority}${path}${query}` };
}

/** Sent over TLS alone (RFC 6797 §7.2). */
export function hstsField({ hsts }: TlsPresence): Field {
  return { name: "Strict-Transport-Security", value: `max-age=${hsts}` };
}
