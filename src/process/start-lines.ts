/**
 * What a server says of itself when it begins to serve.
 */
import type { Epoch } from "./epoch.ts";

export interface StartFacts {
  readonly version: string;
  readonly epoch: Epoch;
  readonly foregroundReason: string | undefined;
}

export interface StartLines {
  readonly info: readonly string[];
  readonly warnings: readonly string[];
}

export function describeStart({ version, epoch, foregroundReason }: StartFacts): StartLines {
  const { settings, urls, logs, processes } = epoch;
  const { upload } = settings.main;
  const inside = settings.server.chroot === undefined ? "" : ` in ${settings.server.chroot}`;
  const crew = processes === 1 ? "1 worker process" : `${processes} worker processes`;
  const info = [
    `Comanche ${version} serves ${settings.main.docbase}${inside} at ${urls.join(" ")}`,
    `PID ${process.pid} with ${crew}, access log ${logs.accessName}, configuration ${settings.configFile ?? "none"}`,
    upload === undefined ? undefined : `takes JSON uploads at ${upload} (upload = no: none)`,
    foregroundReason,
    ...logs.notices,
    ...epoch.notices,
  ];
  return { info: info.filter((line) => line !== undefined), warnings: epoch.warnings };
}
