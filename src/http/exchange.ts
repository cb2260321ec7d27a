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

/** `aborted`: the client has gone, or the file changed under our hands; the connection is closed already. */
export type SendOutcome = "sent" | "aborted";

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
  /** False when the response was cut off. */
  readonly complete: boolean;
  readonly receivedAt: UnixMilliseconds;
  readonly duration: Milliseconds;
}
