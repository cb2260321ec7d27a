/**
 * The client that shakes hands and asks for nothing.
 */
import { countWith } from "./counting-client.js";

/**
 * @param load  `version` of TLS, `kind`: full or resumed, `connections`
 * @returns `{ kind: "counted", handshakes, seconds }` or `{ kind: "void", why }`
 */
export function runHandshakes({ port, load, cores, seconds }) {
  const words = [port, load.version, load.kind, load.connections, seconds];
  return countWith("handshake-client.js", words, cores);
}
