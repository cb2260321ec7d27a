/**
 * Building the settings: the layers merged (flag over file over default), read as values and checked against each other.
 * A virtual host inherits what its section leaves out from the main server, also what a flag says there.
 */
import { join } from "node:path";
import { type AbsolutePath, absolutePath } from "../base/absolute-path.ts";
import { crossCheck } from "./cross-checks.ts";
import { arrangeFaults, type Fault } from "./fault.ts";
import type { FileContent } from "./file-sections.ts";
import { describeOrigin, entryFault, type Layer, LayerReader, mergeLayers } from "./layer.ts";
import { allOptions, type Situation, serverOptions, siteOptions } from "./options.ts";
import { BUILT_IN, type ServerSettings, type SettingsResult, type SiteSettings } from "./settings.ts";
import { readTerminators } from "./terminator-settings.ts";

export interface SettingsInput {
  readonly flags: Layer;
  readonly file: FileContent;
  readonly situation: Situation;
  readonly configFile: AbsolutePath | undefined;
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
  const main = readMainSite(siteReader, file.mimeTypes);
  const virtualHosts = new Map<string, SiteSettings>();
  for (const [name, section] of file.virtualHosts) {
    const own = new LayerReader(layerInside(chroot, section), inside, faults);
    virtualHosts.set(name, readVirtualHost(name, own, server, main));
  }
  const sources = new Map(
    allOptions.map(({ key }) => {
      const entry = layer.get(key);
      return [key, entry === undefined ? BUILT_IN : describeOrigin(entry)];
    }),
  );
  const terminators = readTerminators(file.terminators, faults);
  const settings = freeze({ server, main, virtualHosts, terminators, sources, configFile });
  faults.push(...crossCheck({ settings, layer, situation, unreadable: reader.unreadable }));
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

function readMainSite(reader: LayerReader, mimeTypes: ReadonlyMap<string, string>): SiteSettings {
  const errorPages = reader.readErrorPages(undefined);
  return { ...reader.readRows(siteOptions), errorPages, mimeTypes };
}

function readVirtualHost(name: string, reader: LayerReader, server: ServerSettings, main: SiteSettings): SiteSettings {
  const docbase = server.virthost ? absolutePath(join(main.docbase, name)) : main.docbase;
  return {
    ...reader.readRows(siteOptions, { ...main, docbase }),
    errorPages: reader.readErrorPages(main.errorPages),
    mimeTypes: main.mimeTypes,
  };
}

// With `chroot`, what is served lies inside it and is named as it is seen from there: a relative `docbase` counts from the
// root of the chroot, and its default is `/htdocs` there. An absolute `upload-dir` is text that needs no change. Logs, PID
// file and Unix sockets are opened outside.
const ROOT = absolutePath("/");
const HTDOCS = absolutePath("/htdocs");

function layerInside(chroot: AbsolutePath | undefined, layer: Layer): Layer {
  if (chroot === undefined) return layer;
  return new Map([...layer].map(([key, entry]) => [key, key === "docbase" ? { ...entry, folder: ROOT } : entry]));
}

function situationInside(chroot: AbsolutePath | undefined, situation: Situation): Situation {
  return chroot === undefined ? situation : { ...situation, htdocs: HTDOCS };
}

function freeze<Value>(value: Value): Value {
  // The elements of an array of octets cannot be frozen.
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) for (const each of value.values()) freeze(each);
  else for (const each of Object.values(value)) freeze(each);
  return Object.freeze(value);
}
