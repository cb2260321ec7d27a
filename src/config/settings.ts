/**
 * The settings: what a server and its sites are set to, after flags, file and defaults were merged and checked.
 */
import type { AbsolutePath } from "../base/absolute-path.ts";
import type { Fault } from "./fault.ts";
import type { SettingsOf, serverOptions, siteOptions } from "./options.ts";
import type { TerminatorSettings } from "./terminator-settings.ts";

/** Never changes once it is built. */
export interface Settings {
  readonly server: ServerSettings;
  readonly main: SiteSettings;
  /** By host name in lower case. */
  readonly virtualHosts: ReadonlyMap<string, SiteSettings>;
  /** By name in lower case. */
  readonly terminators: ReadonlyMap<string, TerminatorSettings>;
  /** Where each option of the server and of the main site comes from: `built in`, `--port` or `conf/comanche.conf:12`. */
  readonly sources: ReadonlyMap<string, string>;
  readonly configFile: AbsolutePath | undefined;
}

export type ServerSettings = SettingsOf<typeof serverOptions>;

export interface SiteSettings extends SettingsOf<typeof siteOptions> {
  /** The URL path, below the document root, of the page for a status. */
  readonly errorPages: ReadonlyMap<number, string>;
  /** Media types by extension (in lower case, without dot) that go before the built-in ones. */
  readonly mimeTypes: ReadonlyMap<string, string>;
}

export type SettingsResult =
  | { readonly kind: "settings"; readonly settings: Settings }
  | {
      readonly kind: "faults";
      /** Every fault there is, at least one. */
      readonly faults: readonly Fault[];
      /** What could be read, with defaults for the rest: good enough to find a running server by, and not to serve. */
      readonly readable: Settings;
    };

export const BUILT_IN = "built in";

/** Whether there is a site at all: a server without addresses only ends TLS for others. */
export function servesSites({ server }: Pick<Settings, "server">): boolean {
  return server.address.length > 0;
}

/** Whether the option was not set: then its default may give way to something better. */
export function isBuiltIn(settings: Settings, key: string): boolean {
  return settings.sources.get(key) === BUILT_IN;
}
