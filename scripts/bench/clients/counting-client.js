/**
 * Clients of our own that print what they counted as a line of JSON, with `faults` in it: starts one and judges that.
 */
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { spawnClient } from "./client-process.js";

/**
 * @param name  of the client's file in this folder
 * @returns `{ kind: "counted", seconds, … }` or, with any fault, `{ kind: "void", why }`
 */
export async function countWith(name, words, cores) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = spawnClient(cores, [process.execPath, file, ...words], ["ignore", "pipe", "inherit"]);
  return judgeCounts(name, await text(child.stdout));
}

export function judgeCounts(name, output) {
  if (output === "") throw new Error(`${name} ended without a count`);
  const { faults, ...counts } = JSON.parse(output.split("\n")[0]);
  return faults.length > 0 ? { kind: "void", why: faults[0].trim() } : { kind: "counted", ...counts };
}
