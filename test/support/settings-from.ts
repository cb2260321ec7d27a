/**
 * Settings as a configuration file of that text gives them.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { AbsolutePath } from "../../src/base/absolute-path.ts";
import { formatFault } from "../../src/config/fault.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/settings.ts";

/** @param top  where the file is put, and what its relative paths are relative to */
export function settingsFrom(top: AbsolutePath, configuration: string): Settings {
  writeFileSync(`${top}/comanche.conf`, configuration);
  const starter = { isRoot: false };
  const loaded = loadSettings({ layer: new Map(), configFile: "comanche.conf", cwd: top, starter });
  assert.ok(loaded.kind === "settings", loaded.kind === "faults" ? loaded.faults.map(formatFault).join("\n") : "");
  return loaded.settings;
}
