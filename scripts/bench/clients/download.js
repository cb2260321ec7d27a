/**
 * The client that downloads large files.
 */
import { countWith } from "./counting-client.js";

/** @returns `{ kind: "counted", bytes, seconds }` or `{ kind: "void", why }` */
export function runDownloads({ port, load, cores, seconds }) {
  const words = [load.isTls ? "tls" : "plain", port, load.path, load.connections, seconds];
  return countWith("download-client.js", words, cores);
}
