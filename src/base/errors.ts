/**
 * The two ways in which a command can fail for a reason its user can mend. Everything else that throws is our own fault.
 */

/** The server could not start, or a command could not be carried out: exit status 1, the message alone on stderr. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** The command line or the configuration file is wrong: exit status 2 or 1, one line for each problem. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The code (`ENOENT`, `EADDRINUSE`, …) of a system error, or undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
