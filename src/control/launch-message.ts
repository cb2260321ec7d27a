/**
 * What a daemon says to the command that started it: one word, once.
 */

export type LaunchMessage =
  | { readonly kind: "ready"; readonly lines: readonly string[] }
  | { readonly kind: "failed"; readonly message: string; readonly exitStatus: number };

/**
 * Set in the environment of the process that `launch` starts, which takes it out again at once. It is no setting: it
 * only tells a daemon's channel from one that some other parent may have opened.
 */
export const DAEMON_MARK = "COMANCHE_DAEMON";

/** The message, or undefined for anything that is none. */
export function parseLaunchMessage(value: unknown): LaunchMessage | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) return undefined;
  if (value.kind === "ready" && "lines" in value && isTexts(value.lines)) return { kind: "ready", lines: value.lines };
  if (value.kind !== "failed" || !("message" in value) || !("exitStatus" in value)) return undefined;
  const { message, exitStatus } = value;
  if (typeof message !== "string" || typeof exitStatus !== "number") return undefined;
  return { kind: "failed", message, exitStatus };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
