/**
 * Whether a connection outlives the response that is about to be sent (RFC 9112 §9.3), and what the response says of it.
 *
 * Decides from the request alone. What else ends a connection, such as a refusal or a body left unread, its owner adds.
 */
import { splitList } from "./field-list.ts";
import type { RequestHead } from "./request-head.ts";

export type Persistence = "keep" | "close";

/**
 * @param served  how many requests this connection has brought, this one included
 * @param maxRequests  how many it may bring, at least 1
 * @param draining  the server is stopping: every response is the last
 */
export function decidePersistence(
  head: RequestHead,
  served: number,
  maxRequests: number,
  draining: boolean,
): Persistence {
  if (draining || served >= maxRequests) return "close";
  const field = head.fields.get("connection");
  if (field === undefined) return head.version === "1.1" ? "keep" : "close";

  if (field === "keep-alive") return "keep";
  const options = splitList(field);
  if (options.includes("close")) return "close";
  return head.version === "1.1" || options.includes("keep-alive") ? "keep" : "close";
}

/** The value of the response's Connection field; undefined where the version says it without words (RFC 9112 §9.3). */
export function connectionField(head: RequestHead, persistence: Persistence): "close" | "keep-alive" | undefined {
  if (persistence === "close") return "close";
  return head.version === "1.0" ? "keep-alive" : undefined;
}
