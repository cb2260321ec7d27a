/**
 * Starts the client that downloads large files, and judges what it counted.
 */
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { spawnClient } from "./client-process.js";

const CLIENT = fileURLToPath(new URL("download-client.js", import.meta.url));

/** @returns `{ kind: "counted", bytes, seconds }` or `{ kind: "void", why }` */
export async function runDownloads({ port, load, cores, seconds }) {
  const command = [process.execPath, CLIENT, port, load.path, load.connections, seconds];
  const child = spawnClient(cores, command, ["ignore", "pipe", "inherit"]);
  const output = await text(child.stdout);
  if (output === "") throw new Error("the download client ended without a count");
  const { faults, ...counts } = JSON.parse(output.split("\n")[0]);
  return faults.length > 0 ? { kind: "void", why: faults[0] } : { kind: "counted", ...counts };
}
