/** The server could not start, or a command could not be carried out: exit status 1, the message alone on stderr. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** The code (`ENOENT`, `EADDRINUSE`, …) of a system error, or undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The end of an exhaustive `switch`: a forgotten case does not compile, and one that arrives anyway throws. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}
