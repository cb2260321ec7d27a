/**
 * The checks of every request before its resource is located, in this order: redirect to HTTPS, host, method. The first
 * gate that stops a request decides its response. Access rights and rate limits belong after the host. A gate decides
 * from the request and, after the host, from its site; it neither waits nor writes.
 */
import type { Seconds } from "../base/units.ts";
import type { IncomingRequest } from "../http/exchange.ts";
import { isGetOrHead, type RequestHead } from "../http/request-head.ts";
import type { Resource } from "./resource.ts";
import type { Site } from "./site.ts";
import { chooseSite, formatHostCheck, type Sites } from "./site.ts";
import { takesUploads } from "./upload.ts";

/** @param site  undefined before the gate that chooses it */
export type Gate = (request: IncomingRequest, site: Site | undefined) => Verdict;
type Verdict = { readonly kind: "pass" } | Chosen | Stopped;

interface Chosen {
  readonly kind: "site";
  readonly site: Site;
}

interface Stopped {
  readonly kind: "stopped";
  readonly resource: Resource;
  /** A line for the event log. */
  readonly report?: string;
}

/** A request reaches its site or the gate that stops it, perhaps with its site already known. */
export type Passage = Chosen | (Stopped & { readonly site: Site | undefined });

/** The same sites are served with TLS too. */
export interface TlsPresence {
  readonly port: number;
  /** Whether nothing is served without TLS. */
  readonly redirects: boolean;
  /** For Strict-Transport-Security; 0: no such field. */
  readonly hsts: Seconds;
}

export interface GateOptions {
  readonly sites: Sites;
  /** Undefined without TLS. */
  readonly tls?: TlsPresence | undefined;
  /** Called with a line per host check; undefined below the log level debug. */
  readonly trace?: ((text: string) => void) | undefined;
}

const HTTPS_PORT = 443;
const PASS: Verdict = { kind: "pass" };

export function makeGates({ sites, tls, trace }: GateOptions): readonly Gate[] {
  const gates = [hostGate(sites, trace), methodGate];
  return tls?.redirects === true ? [httpsGate(tls), ...gates] : gates;
}

/** @throws when no gate chooses a site: our own fault */
export function passGates(gates: readonly Gate[], request: IncomingRequest): Passage {
  let chosen: Chosen | undefined;
  for (const gate of gates) {
    const verdict = gate(request, chosen?.site);
    if (verdict.kind === "stopped") return { ...verdict, site: chosen?.site };
    if (verdict.kind === "site") chosen = verdict;
  }
  if (chosen === undefined) throw new Error("no gate has chosen a site");
  return chosen;
}

/** The value of Allow (RFC 9110 §10.2.1). */
export function allowedMethods(isForUploads: boolean): string {
  return isForUploads ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS";
}

/** Redirects network requests to HTTPS. A client on a Unix socket is a local program. */
function httpsGate(tls: TlsPresence): Gate {
  return ({ head, peer }) => {
    if (peer.tls !== undefined || peer.address === "unix") return PASS;
    return { kind: "stopped", resource: redirectToHttps(head, tls) };
  };
}

/** The same target with TLS. A request without a host cannot be redirected. */
export function redirectToHttps(head: RequestHead, { port }: Pick<TlsPresence, "port">): Resource {
  if (head.host === undefined) return { kind: "refused", status: 400, reason: "bad-host" };
  const authority = port === HTTPS_PORT ? head.host.name : `${head.host.name}:${port}`;
  const path = head.path === "*" ? "/" : head.path;
  const query = head.query === undefined ? "" : `?${head.query}`;
  return { kind: "redirect", location: `https://${authority}${path}${query}` };
}

function hostGate(sites: Sites, trace: GateOptions["trace"]): Gate {
  return ({ head, peer }) => {
    const choice = chooseSite(sites, head.host);
    trace?.(formatHostCheck(choice, head.host));
    if (choice.kind === "site") return choice;
    const { status, reason, nearest } = choice;
    const host = head.host?.name ?? "(none)";
    const why = status === 403 ? `not one of hosts: ${host}` : `no site for host ${host}`;
    const hint = nearest === undefined ? "" : `; did the client mean ${nearest}?`;
    const report = `${why} from ${peer.address}${hint}`;
    return { kind: "stopped", resource: { kind: "refused", status, reason }, report };
  };
}

const methodGate: Gate = ({ head: { method, path } }, site) => {
  if (isGetOrHead(method) || method === "OPTIONS") return PASS;
  const isForUploads = site !== undefined && takesUploads(site.rules, path);
  if (method === "POST" && isForUploads) return PASS;
  const fields = [{ name: "Allow", value: allowedMethods(isForUploads) }];
  return { kind: "stopped", resource: { kind: "refused", status: 405, reason: "method-not-allowed", fields } };
};
