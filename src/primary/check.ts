/** Tests settings without serving: reads certificates and keys, looks up backends and users. Binds no socket. */
import type { Settings } from "../config/settings.ts";
import { preparePrivileges } from "../system/privileges.ts";
import { tlsSpecs } from "../tls/tls-specs.ts";
import { findBackends } from "./backends.ts";
import { TicketKeys } from "./ticket-keys.ts";
import { loadTls } from "./tls-files.ts";

/** @returns lines for the operator. @throws StartupError for what would stop the start */
export async function checkSettings(settings: Settings): Promise<readonly string[]> {
  const { files, warnings } = loadTls(tlsSpecs(settings), new TicketKeys(() => 0).current, Date.now());
  await findBackends(settings.terminators);
  const { warning } = await preparePrivileges(settings.server);
  const certificates = files.length === 0 ? "no certificate" : `certificates in ${files.join(", ")}`;
  return [...warnings, ...(warning === undefined ? [] : [warning]), `the configuration is valid: ${certificates}`];
}
