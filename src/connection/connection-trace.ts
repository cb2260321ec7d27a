/** Debug lines of one connection for the event log. No escapes: the parser allows only printable ASCII in a path. */
import { formatPeer, type PeerAddress } from "../base/endpoint.ts";
import type { SendOutcome } from "../http/exchange.ts";
import { bodyLength, type ResponsePlan } from "../http/response-plan.ts";

/** Why a connection is not kept, or no longer kept, after an answer. */
export type CloseCause =
  | "idle"
  | "limit of requests reached"
  | "as the client asked"
  | "the client closed its side"
  | "a request body was left unread"
  | "the server is stopping";

export class ConnectionTrace {
  readonly #tell: (text: string) => void;
  readonly #peer: string;

  constructor(tell: (text: string) => void, peer: PeerAddress) {
    this.#tell = tell;
    this.#peer = formatPeer(peer);
  }

  opened(): void {
    this.#tell(`connection opened: ${this.#peer}`);
  }

  /** @param waiting  what the server was waiting for */
  timedOut(waiting: string): void {
    this.#tell(`connection timed out: ${this.#peer}, ${waiting}`);
  }

  closing(cause: CloseCause): void {
    this.#tell(`closing persistent connection: ${this.#peer}, ${cause}`);
  }

  transferStarted(path: string, plan: ResponsePlan): void {
    if (!isTransfer(plan)) return;
    this.#tell(`transfer started: ${path}, ${bodyLength(plan.body)} bytes to ${this.#peer}`);
  }

  /** @param sent  bytes of the body that have left */
  transferEnded(path: string, plan: ResponsePlan, sent: number, outcome: SendOutcome): void {
    if (!isTransfer(plan)) return;
    this.#tell(`transfer ${outcome === "sent" ? "completed" : "broken off"}: ${path}, ${sent} bytes to ${this.#peer}`);
  }
}

/** Error pages and redirects do not count as transfers. */
function isTransfer({ status, body }: ResponsePlan): boolean {
  return (status === 200 || status === 206) && body.kind !== "none";
}
