/**
 * A disk that holds what a test says, and settings loaded from it.
 */
import { absolutePath } from "../../src/base/absolute-path.ts";
import { formatFault } from "../../src/config/fault.ts";
import type { ConfigDisk } from "../../src/config/load.ts";
import { type LoadInput, loadSettings } from "../../src/config/load.ts";
import type { Settings, SettingsResult } from "../../src/config/settings.ts";

export interface DiskContent {
  /** Text by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly folders?: readonly string[];
  /** Files that cannot be read. */
  readonly locked?: readonly string[];
}

export function fakeDisk({ files = {}, folders = [], locked = [] }: DiskContent): ConfigDisk {
  return {
    read(path) {
      if (locked.includes(path)) return { kind: "unreadable", reason: "no permission" };
      const text = files[path];
      return text === undefined ? { kind: "missing" } : { kind: "bytes", bytes: new TextEncoder().encode(text) };
    },
    isFolder: (path) => folders.includes(path),
  };
}

/** Flags as `{ port: "80" }`. */
export type Flags = Readonly<Record<string, string>>;

/** Loads `/home/me/test.conf` with that text, as an ordinary user in `/home/me`. */
export function loadText(text: string, flags: Flags = {}, input: Partial<LoadInput> = {}): SettingsResult {
  return loadSettings({
    layer: new Map(Object.entries(flags)),
    configFile: "test.conf",
    cwd: absolutePath("/home/me"),
    starter: { isRoot: false },
    disk: fakeDisk({ files: { "/home/me/test.conf": text } }),
    ...input,
  });
}

/** The settings, where there should be no fault. */
export function settingsOf(result: SettingsResult): Settings {
  if (result.kind === "faults") throw new Error(faultLines(result).join("\n"));
  return result.settings;
}

export function faultLines(result: SettingsResult): readonly string[] {
  return result.kind === "faults" ? result.faults.map(formatFault) : [];
}
