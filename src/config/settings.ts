/**
 * The settings: the layers merged (flag over file over default), read as values and checked against each other.
 *
 * A virtual host has what its own section says, and otherwise what the main server has, from whatever source. So a flag
 * such as `--no-listing` speaks for the main server and for each host whose section does not say otherwise.
 */
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { findContradictions } from "./contradictions.ts";
import { arrangeFaults, type Fault } from "./fault.ts";
import type { FileContent } from "./file-sections.ts";
import { layerInside, situationInside } from "./inside-chroot.ts";
import { describeOrigin, type Entry, entryFault, type Layer, mergeLayers } from "./layer.ts";
import { LayerReader } from "./layer-reader.ts";
import { allOptions, type SettingsOf, type Situation, serverOptions, siteOptions } from "./options.ts";
import { readTerminators, type TerminatorSettings } from "./terminator-settings.ts";

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
  /** The options this very site was given, by key, and where; not those that it inherits or that are built in. */
  readonly setBy: ReadonlyMap<string, string>;
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

export interface SettingsInput {
  readonly flags: Layer;
  readonly file: FileContent;
  readonly situation: Situation;
  readonly configFile: AbsolutePath | undefined;
}

export const BUILT_IN = "built in";

/** Whether there is a site at all: a server without addresses only ends TLS for others. */
export function servesSites({ server }: Pick<Settings, "server">): boolean {
  return server.address.length > 0;
}

/** Whether nobody has set the option: then its default may give way to something better. */
export function isBuiltIn(settings: Settings, key: string): boolean {
  return settings.sources.get(key) === BUILT_IN;
}

export function buildSettings({ flags, file, situation, configFile }: SettingsInput): SettingsResult {
  // A value of the file that a flag replaces is read all the same: the file is no better for it.
  const faults: Fault[] = [...file.faults, ...findValueFaults(file.main)];
  const layer = mergeLayers(flags, file.main);
  const reader = new LayerReader(layer, situation, faults);
  const server = reader.readRows(serverOptions);
  const { chroot } = server;
  const inside = situationInside(chroot, situation);
  const siteReader = new LayerReader(layerInside(chroot, layer), inside, faults);
  const main = readMainSite(siteReader, layer, file.mimeTypes);
  const virtualHosts = new Map<string, SiteSettings>();
  for (const [name, section] of file.virtualHosts) {
    const own = new LayerReader(layerInside(chroot, section), inside, faults);
    virtualHosts.set(name, readVirtualHost(name, own, section, server, main));
  }
  const sources = new Map(
    allOptions.map(({ key }) => {
      const entry = layer.get(key);
      return [key, entry === undefined ? BUILT_IN : describeOrigin(entry)];
    }),
  );
  const terminators = readTerminators(file.terminators, faults);
  const settings = freeze({ server, main, virtualHosts, terminators, sources, configFile });
  faults.push(...findContradictions({ settings, layer, situation, unreadable: reader.unreadable }));
  if (faults.length === 0) return { kind: "settings", settings };
  return { kind: "faults", faults: arrangeFaults(faults), readable: settings };
}

/** The faults of the values in one layer, each for itself. */
export function findValueFaults(layer: Layer): readonly Fault[] {
  return allOptions.flatMap(({ key, option }) => {
    const entry = layer.get(key);
    const parsed = entry === undefined ? undefined : option.kind.parse(entry.text, entry.folder);
    return entry !== undefined && parsed?.kind === "fault" ? [entryFault(entry, `expected ${parsed.expects}`)] : [];
  });
}

function readMainSite(reader: LayerReader, layer: Layer, mimeTypes: ReadonlyMap<string, string>): SiteSettings {
  const errorPages = reader.readErrorPages(undefined);
  return { ...reader.readRows(siteOptions), errorPages, mimeTypes, setBy: describeOrigins(layer) };
}

function readVirtualHost(
  name: string,
  reader: LayerReader,
  section: Layer,
  server: ServerSettings,
  main: SiteSettings,
): SiteSettings {
  const docbase = server.virthost ? absolutePath(join(main.docbase, name)) : main.docbase;
  return {
    ...reader.readRows(siteOptions, { ...main, docbase }),
    errorPages: reader.readErrorPages(main.errorPages),
    mimeTypes: main.mimeTypes,
    setBy: describeOrigins(section),
  };
}

/** The site options among the entries of a layer. */
function describeOrigins(layer: Layer): ReadonlyMap<string, string> {
  const isOfSite = (entry: Entry) => allOptions.some(({ key, scope }) => key === entry.key && scope === "site");
  return new Map([...layer.values()].filter(isOfSite).map((entry) => [entry.key, describeOrigin(entry)]));
}

function freeze<Value>(value: Value): Value {
  // The elements of an array of octets cannot be frozen.
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) for (const each of value.values()) freeze(each);
  else for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
