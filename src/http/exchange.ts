/**
 * One request and its answer: the door between the connection, which knows sockets, and the site, which knows files.
 */
import type { PeerAddress } from "../base/endpoint.ts";
import type { ErrorStatus } from "../base/status.ts";
import type { Bytes, Milliseconds, UnixMilliseconds } from "../base/units.ts";
import type { Reason } from "./reason.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponsePlan } from "./response-plan.ts";

export interface IncomingRequest {
  readonly head: RequestHead;
  readonly peer: PeerAddress;
  /** Undefined when the request has no body. A handler may leave it unread: the connection then drops it. */
  readonly body: BodyReader | undefined;
  /** When the head was complete. */
  readonly receivedAt: UnixMilliseconds;
  /** Aborted when the connection is lost. A client that has only ended its own side still waits for the answer. */
  readonly gone: AbortSignal;
  /** Tells the log what the handler has found out about the request. */
  note(finding: RequestFinding): void;
}

export interface RequestFinding {
  /** The name that the user has proven to have: for the log's field of the user, which escapes it. */
  readonly user: string;
}

export type BodyEvent =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  /** The body is malformed, too large or too slow (`refusal`), or the client has gone (`undefined`). */
  | { readonly kind: "failed"; readonly refusal: Refusal | undefined };

export interface BodyReader {
  /** From Content-Length; undefined for a chunked body. */
  readonly length: Bytes | undefined;
  /** The next bytes, in order. Only one call at a time; after `end` or `failed` every call gives the same again. */
  read(): Promise<BodyEvent>;
}

/** Sends the one response of one request. */
export interface ResponseWriter {
  /**
   * Writes the response, HEAD and HTTP/1.0 included as planned. What the plan has open is still the caller's.
   *
   * @returns at once, without a promise, when everything is with the kernel already
   */
  send(plan: ResponsePlan): SendOutcome | Promise<SendOutcome>;
}

/**
 * How the sending of a response ended. `sent`: the kernel has all of it. `cut`: the connection ended before. `changed`: the
 * file became another meanwhile, so the connection was cut.
 */
export type SendOutcome = "sent" | "cut" | "changed";

/** What the protocol itself refuses, before any site is asked. */
export interface Refusal {
  readonly status: ErrorStatus;
  readonly reason: Reason;
}

/** What serves requests: made once, shared by all connections. */
export interface Service {
  /** Answers one request: calls `writer.send` exactly once. Returns without a promise when it is done at once. */
  answer(request: IncomingRequest, writer: ResponseWriter): void | Promise<void>;
  /** The response to something that never became a request, or that broke off; `head` where there is one. */
  planRefusal(refusal: Refusal, head: RequestHead | undefined): ResponsePlan;
  /** Called once for each response, when its last byte is with the kernel or the client has gone. */
  record(exchange: ExchangeRecord): void;
}

/** What the logs may know of one answered request. Text from the client is raw: a log escapes it. */
export interface ExchangeRecord {
  readonly peer: PeerAddress;
  /** As it arrived, as far as it arrived; empty when nothing did. */
  readonly requestLine: string;
  /** Undefined when the head was not understood. */
  readonly head: RequestHead | undefined;
  readonly status: number;
  readonly reason: Reason | undefined;
  /** Body bytes that reached the kernel. */
  readonly bodyBytes: Bytes;
  readonly outcome: SendOutcome;
  /** Who the user is, as far as the handler has found out. */
  readonly user: string | undefined;
  readonly receivedAt: UnixMilliseconds;
  readonly duration: Milliseconds;
}
