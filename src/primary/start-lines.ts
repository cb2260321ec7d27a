/**
 * What a server says of itself when it begins to serve.
 */
import { servesSites } from "../config/settings.ts";
import type { ActiveConfig } from "./active-config.ts";

export interface StartFacts {
  readonly version: string;
  readonly config: ActiveConfig;
  /** What is known from before the start. */
  readonly notices: readonly string[];
}

export interface StartLines {
  readonly info: readonly string[];
  readonly warnings: readonly string[];
}

export function describeStart({ version, config, notices }: StartFacts): StartLines {
  const { settings, logs, processes } = config;
  const { upload } = settings.main;
  const hasSites = servesSites(settings);
  const [first, ...others] = describeService(config);
  const crew = processes === 1 ? "1 worker process" : `${processes} worker processes`;
  const accessLog = hasSites ? `, access log ${logs.accessName}` : "";
  const info = [
    `Comanche ${version} ${first}`,
    ...others,
    `PID ${process.pid} with ${crew}${accessLog}, configuration ${settings.configFile ?? "none"}`,
    hasSites && upload !== undefined ? `takes JSON uploads at ${upload} (upload = no: none)` : undefined,
    ...notices,
    ...logs.notices,
    ...config.notices,
  ];
  return { info: info.filter((line) => line !== undefined), warnings: config.warnings };
}

/** What it does, one line each. */
function describeService({ settings, urls, terminators }: ActiveConfig): readonly string[] {
  if (!servesSites(settings)) return terminators;
  const inside = settings.server.chroot === undefined ? "" : ` in ${settings.server.chroot}`;
  return [`serves ${settings.main.docbase}${inside} at ${urls.join(" ")}`, ...terminators];
}
