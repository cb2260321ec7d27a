/**
 * Virtual hosts: what a site is, and which one answers a request. In this order: `[Virtual host NAME]` of exactly that
 * name; with `virthost` the directory of that name below the main site's root; `default-host`, looked up in the same
 * two places; without `virthost` the main site.
 * A site with `hosts` answers only those, so it rejects a request without a host. A host that the main site's list
 * omits is rejected before the disk is read. A name with a section of its own needs no list to allow it.
 */
import { nearestName } from "../base/nearest-name.ts";
import type { SiteSettings } from "../config/settings.ts";
import type { Host } from "../http/host.ts";
import type { DocumentRoot } from "./document-root.ts";

export interface Site {
  /** The host name in lower case; the main site's name is only a label. */
  readonly name: string;
  readonly root: DocumentRoot;
  readonly rules: SiteRules;
}

/** A site's options (config/options.ts) without docbase, which is the root. */
export type SiteRules = Omit<SiteSettings, "docbase">;

export interface Sites {
  readonly main: Site;
  /** By name in lower case. */
  readonly named: ReadonlyMap<string, Site>;
  /** Present with `virthost`. */
  readonly directories: SiteDirectories | undefined;
  /** In lower case. */
  readonly defaultHost: string | undefined;
}

export interface SiteDirectories {
  find(name: string): Site | undefined;
  /** Some of the existing names, for a hint in the log; none when that would cost too much now. */
  names(): readonly string[];
}

export type SiteChoice =
  | { readonly kind: "site"; readonly site: Site }
  | {
      readonly kind: "refused";
      readonly status: 403 | 404;
      readonly reason: "host-unknown";
      /** The name that may have been meant: only for the log. */
      readonly nearest?: string;
    };

const NOT_ALLOWED: SiteChoice = { kind: "refused", status: 403, reason: "host-unknown" };

/** @param host  undefined when the request names none, as HTTP/1.0 may */
export function chooseSite(sites: Sites, host: Host | undefined): SiteChoice {
  const named = host && sites.named.get(host.name);
  if (named !== undefined) return { kind: "site", site: named };
  if (!isAllowed(sites.main, host)) return NOT_ALLOWED;

  const site = findSite(sites, host?.name) ?? findSite(sites, sites.defaultHost) ?? lastResort(sites);
  if (site === undefined) return unknownHost(sites, host);
  return isAllowed(site, host) ? { kind: "site", site } : NOT_ALLOWED;
}

/** For the event log: `host check ✓ localhost`. A host name that was parsed needs no escape. */
export function formatHostCheck(choice: SiteChoice, host: Host | undefined): string {
  return `host check ${choice.kind === "site" ? "✓" : "✗"} ${host?.name ?? "(none)"}`;
}

function findSite(sites: Sites, name: string | undefined): Site | undefined {
  if (name === undefined) return undefined;
  return sites.named.get(name) ?? sites.directories?.find(name);
}

function lastResort(sites: Sites): Site | undefined {
  return sites.directories === undefined ? sites.main : undefined;
}

function isAllowed(site: Site, host: Host | undefined): boolean {
  const { hosts } = site.rules;
  return hosts.length === 0 || (host !== undefined && hosts.includes(host.name));
}

function unknownHost(sites: Sites, host: Host | undefined): SiteChoice {
  const refused = { kind: "refused", status: 404, reason: "host-unknown" } as const;
  if (host === undefined) return refused;
  // A directory of that very name that is no site, since it leads outside, is no hint.
  const names = [...sites.named.keys(), ...(sites.directories?.names() ?? [])].filter((name) => name !== host.name);
  const nearest = nearestName(host.name, names);
  return nearest === undefined ? refused : { ...refused, nearest };
}
