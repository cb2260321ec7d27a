/**
 * `comanche tls` as settings of a server: one without a site, which ends TLS for somebody else.
 */
import { absolutePath } from "../base/absolute-path.ts";
import { buildSettings } from "./build-settings.ts";
import { NO_FILE } from "./file-sections.ts";
import type { Settings } from "./settings.ts";
import type { TerminatorProcessSettings } from "./terminator-options.ts";
import { ANY_SITUATION, type TerminatorSettings } from "./terminator-settings.ts";

/** The only terminator has no name of its own. */
const TERMINATOR_NAME = "tls";

export function settingsOfTerminator(terminator: TerminatorSettings, process: TerminatorProcessSettings): Settings {
  const built = buildSettings({ flags: new Map(), file: NO_FILE, situation: ANY_SITUATION, configFile: undefined });
  const settings = built.kind === "settings" ? built.settings : built.readable;
  const { workers, test: _, ...others } = process;
  return {
    ...settings,
    server: {
      ...settings.server,
      ...others,
      address: [],
      processes: workers,
      logfile: absolutePath("/dev/null"),
    },
    terminators: new Map([[TERMINATOR_NAME, terminator]]),
    // What is set here is not to give way to something better.
    sources: new Map([...settings.sources, ["daemon", "comanche tls"], ["logfile", "comanche tls"]]),
  };
}
