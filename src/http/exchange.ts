/** One request and its response: the interface between the connection (sockets) and the site (files). */
import type { PeerAddress } from "../base/endpoint.ts";
import type { ErrorStatus } from "../base/status.ts";
import type { Bytes, Milliseconds, UnixMilliseconds } from "../base/units.ts";
import type { Reason } from "./reason.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponsePlan } from "./response-plan.ts";

export interface IncomingRequest {
  readonly head: RequestHead;
  readonly peer: PeerAddress;
  /** Undefined without a body. The handler may leave it unread: the connection then drops it. */
  readonly body: BodyReader | undefined;
  /** When the head was complete. */
  readonly receivedAt: UnixMilliseconds;
  /** Aborted when the connection is lost, or when others wait for a thread and the client ended its side a second ago. */
  readonly gone: AbortSignal;
  /** Reports to the log what the handler has found out about the request. */
  note(finding: RequestFinding): void;
}

export interface RequestFinding {
  /** The name that the user has proven to have; the log escapes it. */
  readonly user: string;
}

export type BodyEvent =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  /** The body is malformed, too large or too slow (`refusal`), or the client has disconnected (`undefined`). */
  | { readonly kind: "failed"; readonly refusal: Refusal | undefined };

export interface BodyReader {
  /** From Content-Length; undefined for a chunked body. */
  readonly length: Bytes | undefined;
  /** The next bytes, in order. Only one call at a time; after `end` or `failed` every call repeats that result. */
  read(): Promise<BodyEvent>;
}

/** Sends the one response to one request. */
export interface ResponseWriter {
  /**
   * Writes the response as planned, also for HEAD and HTTP/1.0. The caller still owns what the plan has open.
   * @returns without a promise when the kernel has all of it already
   */
  send(plan: ResponsePlan): Sending;
}

/** What needs no file may be done at once. */
export type Sending = Exclude<SendOutcome, SourceFailure> | Promise<SendOutcome>;

/** How sending ended. `sent`: the kernel has all of it. `cut`: the connection ended before. */
export type SendOutcome = "sent" | "cut" | SourceFailure;

/**
 * The file was no longer the same, or could not be read. The client got 503 if nothing had been sent yet; else the
 * connection was cut.
 */
export interface SourceFailure {
  readonly kind: "changed" | "unreadable";
  /** For the operator. */
  readonly why: string;
  readonly isHeadSent: boolean;
}

/** What the protocol itself refuses, before a site is chosen. */
export interface Refusal {
  readonly status: ErrorStatus;
  readonly reason: Reason;
}

/** Serves requests: made once, shared by all connections. */
export interface Service {
  /** Calls `writer.send` exactly once. Returns without a promise when it is done at once. */
  answer(request: IncomingRequest, writer: ResponseWriter): void | Promise<void>;
  /** The response to an invalid or incomplete request; `head` where there is one. */
  planRefusal(refusal: Refusal, head: RequestHead | undefined): ResponsePlan;
  /** Called once per response, when the kernel has its last byte or the client has disconnected. */
  record(exchange: ExchangeRecord): void;
}

/** What the logs may know of one request. Text from the client is raw: a log escapes it. */
export interface ExchangeRecord {
  readonly peer: PeerAddress;
  /** As far as it arrived; empty when nothing did. */
  readonly requestLine: string;
  /** Undefined when the head was not understood. */
  readonly head: RequestHead | undefined;
  readonly status: number;
  readonly reason: Reason | undefined;
  /** Body bytes that reached the kernel. */
  readonly bodyBytes: Bytes;
  readonly outcome: SendOutcome;
  /** As far as the handler has found out. */
  readonly user: string | undefined;
  readonly receivedAt: UnixMilliseconds;
  readonly duration: Milliseconds;
}
